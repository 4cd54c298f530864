#include "broker/store/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "broker/base/limits.hpp"
#include "broker/model/compression.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/memory_streams.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {
namespace {

// Bytes of chunks that the kernel is asked to read at once: on a cold card this is one wait, instead of one for each
// chunk.
constexpr std::size_t read_ahead_bytes = 64 * 1024;

error damaged(stream_id stream, offset_t offset) {
  return {errc::invalid,
          fmt::format("the store is damaged: stream {} fails its CRC-32C, or lacks something, near offset {}",
                      static_cast<std::uint32_t>(stream), offset)};
}

// Bytes of records, and number of chunk headers, that a search through a long log reads in one read transaction.
constexpr std::size_t search_step_bytes = 16 * 1024;
constexpr int search_step_chunks = 1'024;

// Calls `visit` with each record until it returns false. A compressed batch is decompressed first. Error: the batch
// does not decompress or decode.
result<void> each_record(const batch_view& batch, const std::function<bool(const record_view&)>& visit) {
  std::string records;
  batch_view open = batch;
  if (batch.compressed()) {
    auto found = decompress(batch, limits::opened_batch_bytes);
    if (!found) return found.error();
    records = std::move(*found);
    open = opened(batch, records);
  }
  record_reader reader(open);
  record_view record;
  while (reader.next(record)) {
    if (!visit(record)) return {};
  }
  if (!reader.failed()) return {};
  return error{errc::invalid, fmt::format("the batch at offset {} does not decode", batch.base_offset)};
}

// Calls `take` with the compressed batch's record at this offset. Returns whether it has one.
result<bool> opened_record(const batch_view& batch, offset_t offset,
                           const std::function<void(const record_view&)>& take) {
  bool is_there = false;
  const auto looked = each_record(batch, [&](const record_view& record) {
    is_there = record.offset == offset;
    if (is_there) take(record);
    return record.offset < offset;
  });
  return looked ? result<bool>(is_there) : looked.error();
}

// Returns the batch's first offset, from `from` on, whose time is not older. If the records cannot be read, returns the
// first offset: the batch's newest time is known not to be older.
std::optional<offset_t> first_not_older(const batch_view& batch, offset_t from, std::int64_t timestamp_ms) {
  if (batch.newest_timestamp_ms < timestamp_ms) return std::nullopt;
  const offset_t first = std::max(batch.base_offset, from);
  if (batch.is_append_time()) return first;
  std::optional<offset_t> found;
  const auto looked = each_record(batch, [&](const record_view& record) {
    if (record.offset >= from && record.timestamp_ms >= timestamp_ms) found = record.offset;
    return !found;
  });
  return looked ? found : first;
}

}  // namespace

reader::reader(lmdb::env& env, const tables& tables, const ring& journal, const books& books,
               const memory_streams* memory)
    : env_(env),
      tables_(tables),
      journal_(journal),
      memory_(memory),
      snapshot_(lmdb::txn(env, lmdb::access::read).number()),
      losses_since_(books.losses.dirty_since()) {
  for (const auto& [id, ledger] : books.streams) {
    stream_view& view = streams_[id];
    static_cast<stream_state&>(view) = ledger.state();
    view.recent = ledger.recent.segments;
  }
  apply(books.losses.fresh(), books.last_commit);
}

void reader::apply(const commit_result& result) {
  for (const stream_update& update : result.streams) apply(update);
  apply(result.losses, result.commit);
  forget_losses_before(result.losses_since);
  snapshot_ = result.snapshot;
}

void reader::apply(const stream_update& update) {
  if (update.dropped) {
    streams_.erase(update.stream);
    return;
  }
  stream_view& view = streams_[update.stream];
  static_cast<stream_state&>(view) = update;
  view.recent.insert(view.recent.end(), update.added.begin(), update.added.end());
  const offset_t gone = std::max(view.rolled_end, view.log_start);
  while (!view.recent.empty() && view.recent.front().last < gone) view.recent.pop_front();
  if (view.recent.empty()) view.recent = {};
}

void reader::apply(const std::map<loss_number, loss_record>& losses, commit_number commit) {
  for (const auto& [number, record] : losses) {
    fresh_loss& fresh = fresh_losses_[number];
    fresh = {record, fresh.since == 0 ? commit : fresh.since};
  }
  while (fresh_losses_.size() > limits::loss_rows) fresh_losses_.erase(fresh_losses_.begin());
}

// Losses before `since` are in the table. Does nothing unless `since` moved: commits are frequent, checkpoints are not.
void reader::forget_losses_before(commit_number since) {
  if (since == losses_since_) return;
  losses_since_ = since;
  std::erase_if(fresh_losses_, [&](const auto& fresh) { return since == 0 || fresh.second.since < since; });
}

result<std::map<loss_number, loss_record>> reader::losses(loss_number after, std::size_t rows_max) const {
  std::map<loss_number, loss_record> found;
  auto fresh = fresh_losses_.upper_bound(after);
  for (; fresh != fresh_losses_.end() && found.size() < rows_max; ++fresh) {
    found.emplace(fresh->first, fresh->second.record);
  }
  if (after == std::numeric_limits<loss_number>::max()) return found;
  const lmdb::txn txn(env_, lmdb::access::read);
  lmdb::cursor cursor(txn, tables_.loss);
  try {
    std::size_t rows = 0;
    for (auto row = cursor.seek(loss_key(after + 1)); row && rows < rows_max; row = cursor.next(), ++rows) {
      found.try_emplace(number_of_loss_key(row->key), decode_loss(unsealed_or_fail(tables_.loss, *row)));
    }
  } catch (const storage_failure& damaged) {
    return error{errc::invalid, damaged.what()};
  }
  while (found.size() > rows_max) found.erase(std::prev(found.end()));
  return found;
}

const memory_stream* reader::in_memory(stream_id stream) const {
  return memory_ == nullptr ? nullptr : memory_->find(stream);
}

const stream_view* reader::find(stream_id stream) const {
  if (const auto* const living = in_memory(stream)) return &living->view();
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : &found->second;
}

result<bool> reader::scanning::skip(offset_t last, const error& cause) {
  if (!damage) return cause;
  damage({position, last + 1});
  position = last + 1;
  return true;
}

result<void> reader::scan(stream_id stream, offset_t from, const batch_taker& take, const damage_taker& damage) const {
  const stream_view* const view = find(stream);
  if (view == nullptr) return {};
  if (const auto* const living = in_memory(stream)) {
    living->scan(from, take);
    return {};
  }
  const lmdb::txn txn(env_, lmdb::access::read);
  scanning scan{txn, stream, std::max(from, view->log_start), take, damage};
  return run(scan);
}

bool reader::is_whole(const scanning& scan, const batch_view& batch) const {
  return (scan.reads_one && last_.knows(scan.stream, batch, scan.txn.number())) || crc_matches(batch);
}

result<void> reader::run(scanning& scan) const {
  const stream_view* const view = find(scan.stream);
  while (scan.position < view->end) {
    const auto segment = std::lower_bound(view->recent.begin(), view->recent.end(), scan.position,
                                          [](const auto& held, offset_t offset) { return held.last < offset; });
    const bool in_journal = segment != view->recent.end() && scan.position >= view->recent.front().first;
    const offset_t before = scan.position;
    const auto go_on = in_journal ? scan_segment(scan, *segment) : scan_chunk(scan);
    if (!go_on) return go_on.error();
    if (!*go_on) return {};
    if (scan.position > before) continue;
    const bool is_below_journal = !view->recent.empty() && scan.position < view->recent.front().first;
    const offset_t next = is_below_journal ? view->recent.front().first : view->end;
    if (auto passed = pass_gap(scan, next); !passed) return passed.error();
  }
  return {};
}

// Works even if the segment was rolled up since the last result: its place in the ring stays until the next result is
// known.
result<bool> reader::scan_segment(scanning& scan, const segment& segment) const {
  const auto batch = segment_batch(journal_, segment);
  if (!batch) return scan.skip(segment.last, batch.error());
  if (!is_whole(scan, *batch)) return scan.skip(segment.last, damaged(scan.stream, scan.position));
  scan.position = segment.last + 1;
  return scan.take(*batch);
}

// Returns whether a commit whose result is not known yet dropped the records up to `end`: a step has freed the log's
// head, or has put a newer log start into the stream's row.
bool reader::was_dropped(const scanning& scan, offset_t end) const {
  if (scan.txn.number() == snapshot_) return false;
  const std::string key = stream_key(scan.stream);
  if (const auto row = scan.txn.get(tables_.state, key)) {
    const auto value = unsealed({key, *row});
    if (value && decode_checkpoint(*value).log_start >= end) return true;
  }
  if (scan.has_given) return false;
  chunk_cursor chunks(scan.txn, tables_.chunk);
  chunks.seek(scan.stream, 0);
  const auto head = chunks.last_offset_in(scan.stream);
  return head != find(scan.stream)->head_chunk && (!head || *head >= scan.position);
}

// The chunks cover every offset up to the end of the newest chunk, whatever is left in them. An offset that no chunk
// covers was lost with a part of the file, if it was not dropped. After the newest chunk, every record was dead before
// it was rolled up.
result<bool> reader::pass_gap(scanning& scan, offset_t end) const {
  const offset_t lost_end = std::min(end, find(scan.stream)->covered_end);
  if (lost_end > scan.position && !was_dropped(scan, lost_end)) {
    return scan.skip(lost_end - 1, damaged(scan.stream, scan.position));
  }
  scan.position = std::max(scan.position, end);
  return true;
}

// The chunk may be newer than the last result, and hold what the view has in the journal: those records are read there.
result<bool> reader::scan_chunk(scanning& scan) const {
  const stream_view& view = *find(scan.stream);
  const offset_t end = view.recent.empty() ? view.end : view.recent.front().first;
  chunk_cursor chunks(scan.txn, tables_.chunk);
  chunks.seek(scan.stream, scan.position);
  const auto chunk_end = chunks.last_offset_in(scan.stream);
  // The tree of a damaged file can lead to earlier chunks.
  if (!chunk_end || *chunk_end < scan.position) return true;
  const chunk_place place{scan.stream, *chunk_end};
  const bool is_asked = scan.reads_one || (scan.asked_to && *scan.asked_to >= place.last_offset);
  if (!is_asked) scan.asked_to = chunks.ask_ahead(read_ahead_bytes);
  const auto chunk = read_chunk(place, chunks.chunk());
  if (!chunk) return scan.skip(std::min(place.last_offset, end - 1), chunk.error());
  if (scan.position < chunk->header.covered_from) {
    const offset_t before = scan.position;
    const auto passed = pass_gap(scan, std::min(chunk->header.covered_from, end));
    if (!passed || scan.position == before) return passed;
  }
  const std::vector<batch_view>& batches = chunk->batches;
  for (auto next = batches.begin(); next != batches.end();) {
    const batch_view& batch = *next++;
    // The chunk's own CRC-32C covers where batches start; where one ends is covered by the batch's CRC.
    const offset_t behind = next == batches.end() ? place.last_offset + 1 : next->base_offset;
    if (behind <= scan.position) continue;
    if (batch.base_offset >= end) break;
    scan.position = std::max(scan.position, batch.base_offset);
    if (!is_whole(scan, batch)) {
      const offset_t last = std::min(behind, end) - 1;
      if (auto skipped = scan.skip(last, damaged(scan.stream, scan.position)); !skipped) return skipped;
      continue;
    }
    if (batch.last_offset < scan.position) continue;
    scan.position = batch.last_offset + 1;
    scan.has_given = true;
    if (!scan.take(batch)) return false;
  }
  scan.position = std::min(place.last_offset + 1, end);
  return true;
}

result<bool> reader::read_one(stream_id stream, offset_t offset,
                              const std::function<void(const record_view&)>& take) const {
  const stream_view* const view = find(stream);
  if (view == nullptr || offset < view->log_start) return false;
  result<bool> looked = false;
  if (const auto* const living = in_memory(stream)) {
    living->scan(offset, [&](const batch_view& batch) {
      looked = last_read().find(stream, batch, 0, offset, take);
      return false;
    });
    return looked;
  }
  const lmdb::txn txn(env_, lmdb::access::read);
  const batch_taker look = [&](const batch_view& batch) {
    looked =
        batch.compressed() ? opened_record(batch, offset, take) : last_.find(stream, batch, txn.number(), offset, take);
    return false;
  };
  const damage_taker none;
  scanning scan{txn, stream, offset, look, none};
  scan.reads_one = true;
  if (const auto scanned = run(scan); !scanned) return scanned.error();
  return looked;
}

std::optional<offset_range> reader::chunk_at(stream_id stream, offset_t offset) const {
  const lmdb::txn txn(env_, lmdb::access::read);
  chunk_cursor chunks(txn, tables_.chunk);
  chunks.seek(stream, offset);
  const auto last = chunks.last_offset_in(stream);
  if (!last) return std::nullopt;
  const auto header = read_chunk_header({stream, *last}, chunks.first_row());
  if (!header) return std::nullopt;
  return offset_range{header->covered_from, *last + 1};
}

// A chunk's running newest time is at least the time of every earlier record that still exists. If it is older than the
// wanted time, no record up to that chunk fits. If it is not, the record that set it may be gone meanwhile, so the
// search continues from the chunk that is found.
offset_t reader::first_chunk_with(stream_id stream, std::int64_t timestamp_ms, offset_t end) const {
  const lmdb::txn txn(env_, lmdb::access::read);
  chunk_cursor chunks(txn, tables_.chunk);
  offset_t low = find(stream)->log_start, high = end;
  while (low < high) {
    const offset_t middle = low + (high - low) / 2;
    chunks.seek(stream, middle);
    const auto last = chunks.last_offset_in(stream);
    const bool is_there = last && *last >= middle && *last < end;
    const auto header = is_there ? read_chunk_header({stream, *last}, chunks.first_row()) : result<chunk_header>{};
    const bool is_older = is_there && header && header->running_newest_ms < timestamp_ms;
    if (is_older) {
      low = *last + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Returns the first offset, from `from` on, in a chunk or a batch of the journal whose newest time is not older. May
// return an offset on the way there, so that no read transaction is long.
offset_t reader::next_with(stream_id stream, std::int64_t timestamp_ms, offset_t from) const {
  const stream_view& view = *find(stream);
  const offset_t rolled_end = view.recent.empty() ? view.end : view.recent.front().first;
  if (from >= rolled_end) {
    const auto is_newer = [&](const segment& held) {
      return held.last >= from && held.newest_timestamp_ms >= timestamp_ms;
    };
    const auto found = std::find_if(view.recent.begin(), view.recent.end(), is_newer);
    return found == view.recent.end() ? view.end : std::max(from, found->first);
  }
  const lmdb::txn txn(env_, lmdb::access::read);
  chunk_cursor chunks(txn, tables_.chunk);
  chunks.seek(stream, from);
  for (int left = search_step_chunks; left > 0; --left, chunks.next()) {
    const auto last = chunks.last_offset_in(stream);
    if (!last || *last >= rolled_end) return std::max(from, rolled_end);
    const auto header = read_chunk_header({stream, *last}, chunks.first_row());
    if (!header || header->newest_timestamp_ms >= timestamp_ms) return from;  // its reader reports damage
    from = *last + 1;
  }
  return from;
}

// Timestamps have no order: producers set their own, and clocks are corrected.
result<offset_t> reader::find_time(stream_id stream, std::int64_t timestamp_ms) const {
  const stream_view* const view = find(stream);
  if (view == nullptr) return error{errc::not_found, "no such stream"};
  const bool is_living = in_memory(stream) != nullptr;
  const offset_t rolled_end = view->recent.empty() ? view->end : view->recent.front().first;
  offset_t position = is_living ? view->log_start : first_chunk_with(stream, timestamp_ms, rolled_end);
  std::optional<offset_t> found;
  while (!found && position < view->end) {
    if (!is_living) position = next_with(stream, timestamp_ms, position);
    std::size_t looked = 0;
    const auto take = [&](const batch_view& batch) {
      found = first_not_older(batch, position, timestamp_ms);
      position = batch.last_offset + 1;
      looked += batch.bytes.size();
      return !found && looked < search_step_bytes;
    };
    const offset_t before = position;
    const auto scanned = scan(stream, position, take, [](offset_range) {});
    if (!scanned) return scanned.error();
    if (position == before) break;  // nothing follows
  }
  return found.value_or(view->end);
}

}  // namespace tidegate::store
