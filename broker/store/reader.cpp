#include "broker/store/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tidegate::store {
namespace {

error damaged(stream_id stream, offset_t offset) {
  return {errc::invalid, fmt::format("the store is damaged: stream {} fails its CRC-32C near offset {}",
                                     static_cast<std::uint32_t>(stream), offset)};
}

}  // namespace

reader::reader(lmdb::env& env, const tables& tables, const books& books) : env_(env), tables_(tables) {
  for (const auto& [id, ledger] : books.streams) {
    streams_[id] = {ledger.kind,    ledger.log_start, ledger.next, ledger.rolled_end, ledger.newest_timestamp_ms,
                    ledger.bytes(), ledger.recent};
  }
}

void reader::apply(const stream_update& update) {
  if (update.dropped) {
    streams_.erase(update.stream);
    return;
  }
  stream_view& view = streams_[update.stream];
  view.kind = update.kind;
  view.log_start = update.log_start;
  view.end = update.end;
  view.rolled_end = update.rolled_end;
  view.newest_timestamp_ms = update.newest_timestamp_ms;
  view.bytes = update.bytes;
  view.recent.insert(view.recent.end(), update.added.begin(), update.added.end());
  const offset_t gone = std::max(view.rolled_end, view.log_start);
  while (!view.recent.empty() && view.recent.front().last < gone) view.recent.pop_front();
}

const stream_view* reader::find(stream_id stream) const {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : &found->second;
}

result<void> reader::scan(stream_id stream, offset_t from, const batch_taker& take) const {
  const stream_view* const view = find(stream);
  if (view == nullptr) return {};
  const lmdb::txn txn(env_, lmdb::access::read);
  offset_t position = std::max(from, view->log_start);
  while (position < view->end) {
    const auto segment = std::lower_bound(view->recent.begin(), view->recent.end(), position,
                                          [](const auto& held, offset_t offset) { return held.last < offset; });
    const bool in_journal = segment != view->recent.end() && position >= view->recent.front().first;
    const offset_t before = position;
    const auto go_on = in_journal ? scan_segment(txn, stream, *segment, position, take)
                                  : scan_chunk(txn, stream, position, take);
    if (!go_on) return go_on.error();
    if (!*go_on) return {};
    if (position > before) continue;
    // Nothing here any more: the gap up to what the journal holds was acknowledged or dropped.
    if (view->recent.empty() || position >= view->recent.front().first) return {};
    position = view->recent.front().first;
  }
  return {};
}

// A segment may have been rolled up since the last result came: then its records are in a chunk.
result<bool> reader::scan_segment(const lmdb::txn& txn, stream_id stream, const segment& segment, offset_t& position,
                                  const batch_taker& take) const {
  const auto bytes = segment_bytes(txn, tables_, segment);
  if (!bytes) {
    const offset_t before = position;
    auto go_on = scan_chunk(txn, stream, position, take);
    if (go_on && *go_on && position == before) position = segment.last + 1;
    return go_on;
  }
  const auto batch = read_batch(*bytes);
  if (!batch || !crc_matches(*batch)) return damaged(stream, position);
  position = segment.last + 1;
  return take(*batch);
}

result<bool> reader::scan_chunk(const lmdb::txn& txn, stream_id stream, offset_t& position,
                                const batch_taker& take) const {
  lmdb::cursor cursor(txn, tables_.chunk);
  const auto found = cursor.seek(chunk_key(stream, position));
  if (!found) return true;
  const chunk_place place = place_of_chunk_key(found->key);
  if (place.stream != stream) return true;
  std::string_view rest = found->value;
  while (!rest.empty()) {
    const auto batch = read_batch(rest);
    if (!batch) return damaged(stream, position);
    rest.remove_prefix(batch->bytes.size());
    if (batch->last_offset < position) continue;
    if (!crc_matches(*batch)) return damaged(stream, position);
    position = batch->last_offset + 1;
    if (!take(*batch)) return false;
  }
  position = place.last_offset + 1;
  return true;
}

// Halves the range of offsets; each probe costs one look at a batch's header.
result<offset_t> reader::find_time(stream_id stream, std::int64_t timestamp_ms) const {
  const stream_view* const view = find(stream);
  if (view == nullptr) return error{errc::not_found, "no such stream"};
  offset_t low = view->log_start, high = view->end;
  while (low < high) {
    const offset_t middle = low + (high - low) / 2;
    std::optional<batch_view> seen;
    std::optional<offset_t> exact;
    const auto scanned = scan(stream, middle, [&](const batch_view& batch) {
      seen = batch;
      if (batch.newest_timestamp_ms < timestamp_ms || batch.compressed()) return false;
      record_reader records(batch);
      record_view record;
      while (!exact && records.next(record)) {
        if (record.timestamp_ms >= timestamp_ms) exact = record.offset;
      }
      return false;
    });
    if (!scanned) return scanned.error();
    if (!seen) {
      high = middle;
    } else if (seen->newest_timestamp_ms < timestamp_ms) {
      low = seen->last_offset + 1;
    } else {
      const offset_t found = exact.value_or(seen->base_offset);
      // Where the hit is inside its batch, everything before it is older.
      if (found > seen->base_offset || seen->base_offset <= low) return std::max(found, view->log_start);
      high = seen->base_offset;
    }
  }
  return low;
}

}  // namespace tidegate::store
