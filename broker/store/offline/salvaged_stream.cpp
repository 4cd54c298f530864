#include "broker/store/offline/salvaged_stream.hpp"

#include <algorithm>

#include "broker/store/offline/census.hpp"

namespace tidegate::store::offline {
namespace {

bool is_sound(const batch_view& batch) {
  bool is_sound = true;
  check_batch(batch, [&](const std::string&) { is_sound = false; });
  return is_sound;
}

}  // namespace

salvaged_stream::salvaged_stream(const checkpoint& state) : known_through(state.commit) {
  ledger.kind = state.kind;
  ledger.in_memory = state.in_memory;
  ledger.log_start = state.log_start;
  ledger.next = ledger.recent.rolled_end = state.next_offset;
  ledger.newest_timestamp_ms = state.newest_timestamp_ms;
  ledger.maybe_delivered_before = state.maybe_delivered_before;
  ledger.dropped = state.dropped;
  ledger.age_marks.assign(state.age_marks.begin(), state.age_marks.end());
}

void salvaged_stream::take_block(std::uint64_t block, const ack_block& found) {
  const offset_range offsets = offsets_of(block, found);
  const auto take = [&](offset_range acked) {
    raise_end(acked.end);
    acked.begin = std::max(acked.begin, ledger.log_start);
    if (!acked.empty()) ledger.marks.use().acked.insert(acked);
  };
  if (found.full_after > 0) take(offsets);
  for (std::uint64_t bit = 0; bit < offsets_per_block; ++bit) {
    const offset_t offset = offsets.begin + bit;
    if ((found.bits[bit / 8] >> (bit % 8) & 1) != 0) take({offset, offset + 1});
  }
  for (const auto& [place, count] : found.deliveries) {
    raise_end(offsets.begin + place + 1);
    ledger.marks.use().deliveries[offsets.begin + place] = count;
  }
}

void salvaged_stream::add(const batch_view& batch, kept_batch kept) {
  kept.last = batch.last_offset;
  ledger.newest_timestamp_ms = std::max(ledger.newest_timestamp_ms, batch.newest_timestamp_ms);
  raise_end(batch.last_offset + 1);
  covered_.insert({batch.base_offset, batch.last_offset + 1});
  batches_.emplace(batch.base_offset, std::move(kept));
}

void salvaged_stream::offer(const batch_view& batch, const scattered_bytes& bytes, origin origin) {
  const offset_range range{batch.base_offset, batch.last_offset + 1};
  const bool is_in_use = origin == origin::in_use;
  const bool is_below = has_start ? range.end <= ledger.log_start : !is_in_use && first_ && range.end <= *first_;
  if (is_below || !is_sound(batch)) return;
  if (is_in_use) first_ = std::min(first_.value_or(range.begin), range.begin);
  const std::uint64_t known = covered_.count(range);
  if (known == range.size()) return;
  if (known == 0) return add(batch, {.found = bytes});
  if (!batch.compressed()) add_rest(batch);
}

// Adds the records of the batch that are not there yet.
void salvaged_stream::add_rest(const batch_view& batch) {
  batch_builder rest;
  record_reader records(batch);
  raw_record record;
  const auto close = [&] {
    if (rest.empty()) return;
    std::string rebuilt = rest.finish();
    const batch_view view = read_batch(rebuilt).value();
    kept_batch kept;
    kept.rebuilt = std::move(rebuilt);
    add(view, std::move(kept));
  };
  while (records.next(record)) {
    const bool is_known = covered_.contains(record.offset);
    if (is_known || (!rest.empty() && covered_.count({rest.last_offset(), record.offset}) > 0)) close();
    if (!is_known) rest.add(record);
  }
  close();
}

void salvaged_stream::offer(const chunk_view& chunk, const scattered_bytes& bytes, origin origin) {
  std::size_t at = chunk_header_bytes;
  bool is_whole = true;
  for (const batch_view& batch : chunk.batches) {
    is_whole = is_whole && crc_matches(batch);
    offer(batch, bytes.part(at, batch.bytes.size()), origin);
    at += batch.bytes.size();
  }
  const offset_t end = chunk.header.place.last_offset + 1;
  raise_end(end);
  if (is_whole) covered_.insert({chunk.header.covered_from, end});
}

std::vector<offset_range> salvaged_stream::close() {
  if (!has_start) {
    const offset_t oldest = batches_.empty() ? ledger.next : batches_.begin()->first;
    ledger.log_start = std::max(ledger.log_start, first_.value_or(oldest));
  }
  if (queue_marks* const marks = ledger.marks.used()) {
    marks->acked.erase_below(ledger.log_start);
    marks->deliveries.erase(marks->deliveries.begin(), marks->deliveries.lower_bound(ledger.log_start));
  }
  std::erase_if(batches_, [&](const auto& batch) { return batch.second.last < ledger.log_start; });
  const std::vector<offset_range> lost = missing();
  if (ledger.kind != stream_kind::queue) {
    ledger.maybe_delivered_before = 0;
    return lost;
  }
  for (const offset_range& range : lost) ledger.marks.use().acked.insert(range);
  ledger.maybe_delivered_before = ledger.next;
  count_held_bytes();
  return lost;
}

// Returns the offsets that are neither found, nor acknowledged, nor covered by a whole chunk.
std::vector<offset_range> salvaged_stream::missing() const {
  std::vector<offset_range> missing;
  for (offset_t at = ledger.log_start; at < ledger.next;) {
    if (const auto covered = covered_.range_at(at)) {
      at = covered->end;
    } else if (const auto acked = ledger.marks->acked.range_at(at)) {
      at = acked->end;
    } else {
      offset_t end = ledger.next;
      if (const auto next = covered_.range_from(at)) end = std::min(end, next->begin);
      if (const auto next = ledger.marks->acked.range_from(at)) end = std::min(end, next->begin);
      missing.push_back({at, end});
      at = end;
    }
  }
  return missing;
}

void salvaged_stream::count_held_bytes() {
  ledger.held_bytes = 0;
  each_batch([this](std::string_view bytes) {
    const batch_view batch = read_batch(bytes).value();
    record_reader records(batch);
    record_view record;
    while (records.next(record)) ledger.held_bytes += ledger.is_live(record.offset) ? record.body.size() : 0;
  });
}

void salvaged_stream::each_batch(const std::function<void(std::string_view)>& take) const {
  for (const auto& [first, batch] : batches_) take(batch.text());
}

std::uint64_t salvaged_stream::batch_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [first, batch] : batches_) bytes += std::max(batch.found.size(), batch.rebuilt.size());
  return bytes;
}

}  // namespace tidegate::store::offline
