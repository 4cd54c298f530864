#include "broker/store/ledger.hpp"

#include <algorithm>

namespace tidegate::store {

void stream_ledger::add_segment(const segment& segment) {
  recent.push_back(segment);
  recent_bytes += segment.size;
  next = segment.last + 1;
  newest_timestamp_ms = std::max(newest_timestamp_ms, segment.newest_timestamp_ms);
}

void stream_ledger::ack(offset_range range) {
  range.begin = std::max(range.begin, log_start);
  range.end = std::min(range.end, next);
  if (range.empty()) return;
  acked.insert(range);
  acked_since_checkpoint += range.size();
  for (std::uint64_t block = range.begin / offsets_per_block; block <= (range.end - 1) / offsets_per_block; ++block) {
    dirty_blocks.insert(block);
  }
  deliveries.erase(deliveries.lower_bound(range.begin), deliveries.lower_bound(range.end));
  if (const auto head = acked.range_at(log_start)) trim_to(head->end);
}

void stream_ledger::set_deliveries(offset_t offset, std::uint32_t count) {
  if (!is_live(offset)) return;
  deliveries[offset] = count;
  dirty_blocks.insert(offset / offsets_per_block);
}

void stream_ledger::trim_to(offset_t offset) {
  if (offset <= log_start) return;
  log_start = std::min(offset, next);
  acked.erase_below(log_start);
  deliveries.erase(deliveries.begin(), deliveries.lower_bound(log_start));
  while (!recent.empty() && recent.front().last < log_start) {
    recent_bytes -= recent.front().size;
    recent.pop_front();
  }
  if (recent.empty()) rolled_end = next;
}

}  // namespace tidegate::store
