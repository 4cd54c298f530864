#include "broker/store/offline/salvaged_stream.hpp"

#include <algorithm>

namespace tidegate::store::offline {

salvaged_stream::salvaged_stream(const checkpoint& state) : known_through(state.commit) {
  ledger.kind = state.kind;
  ledger.in_memory = state.in_memory;
  ledger.log_start = state.log_start;
  ledger.next = ledger.rolled_end = state.next_offset;
  ledger.newest_timestamp_ms = state.newest_timestamp_ms;
  ledger.maybe_delivered_before = state.maybe_delivered_before;
  ledger.dropped = state.dropped;
  ledger.age_marks.assign(state.age_marks.begin(), state.age_marks.end());
}

void salvaged_stream::take_block(std::uint64_t block, const ack_block& found) {
  const offset_t base = block * offsets_per_block;
  for (std::uint64_t bit = 0; bit < offsets_per_block; ++bit) {
    const bool is_acked = (found.bits[bit / 8] >> (bit % 8) & 1) != 0;
    if (is_acked && base + bit >= ledger.log_start) ledger.acked.insert({base + bit, base + bit + 1});
  }
  for (const auto& [place, count] : found.deliveries) ledger.deliveries[base + place] = count;
}

void salvaged_stream::add(offset_range covered, std::string batch) {
  const batch_view view = read_batch(batch).value();
  ledger.newest_timestamp_ms = std::max(ledger.newest_timestamp_ms, view.newest_timestamp_ms);
  ledger.next = std::max(ledger.next, covered.end);
  covered_.insert(covered);
  batches_.emplace(view.base_offset, std::move(batch));
}

void salvaged_stream::offer(const batch_view& batch) {
  const offset_range range{batch.base_offset, batch.last_offset + 1};
  const bool is_below = has_start && range.end <= ledger.log_start;
  if (is_below || !crc_matches(batch)) return;
  const std::uint64_t known = covered_.count(range);
  if (known == range.size()) return;
  if (known == 0) return add(range, std::string(batch.bytes));
  if (batch.compressed()) return;
  batch_builder rest;
  record_reader records(batch);
  raw_record record;
  const auto close = [&] {
    if (rest.empty()) return;
    const offset_range found{rest.base_offset(), rest.last_offset() + 1};
    add(found, rest.finish());
  };
  while (records.next(record)) {
    const bool is_known = covered_.contains(record.offset);
    if (is_known || (!rest.empty() && covered_.count({rest.last_offset(), record.offset}) > 0)) close();
    if (!is_known) rest.add(record);
  }
  close();
}

void salvaged_stream::offer(const chunk_view& chunk) {
  bool is_whole = true;
  for (const batch_view& batch : chunk.batches) {
    is_whole = is_whole && crc_matches(batch);
    offer(batch);
  }
  const offset_t end = chunk.header.place.last_offset + 1;
  ledger.next = std::max(ledger.next, end);
  if (is_whole) covered_.insert({chunk.header.covered_from, end});
}

std::vector<offset_range> salvaged_stream::close() {
  if (!has_start) ledger.log_start = batches_.empty() ? ledger.next : batches_.begin()->first;
  ledger.acked.erase_below(ledger.log_start);
  ledger.deliveries.erase(ledger.deliveries.begin(), ledger.deliveries.lower_bound(ledger.log_start));
  std::erase_if(batches_,
                [&](const auto& batch) { return read_batch(batch.second).value().last_offset < ledger.log_start; });
  std::vector<offset_range> missing;
  for (offset_t at = ledger.log_start; at < ledger.next;) {
    if (const auto covered = covered_.range_at(at)) {
      at = covered->end;
    } else if (const auto acked = ledger.acked.range_at(at)) {
      at = acked->end;
    } else {
      offset_t end = ledger.next;
      if (const auto next = covered_.range_from(at)) end = std::min(end, next->begin);
      if (const auto next = ledger.acked.range_from(at)) end = std::min(end, next->begin);
      missing.push_back({at, end});
      at = end;
    }
  }
  if (ledger.kind == stream_kind::queue) {
    for (const offset_range& range : missing) ledger.acked.insert(range);
  }
  ledger.maybe_delivered_before = ledger.kind == stream_kind::queue ? ledger.next : 0;
  return missing;
}

}  // namespace tidegate::store::offline
