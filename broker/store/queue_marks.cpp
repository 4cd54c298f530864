#include "broker/store/queue_marks.hpp"

#include <algorithm>

namespace tidegate::store {

std::uint64_t queue_marks::ack(offset_range range) {
  const std::uint64_t before = acked.size();
  acked.insert(range);
  for (std::uint64_t block = range.begin / offsets_per_block; block <= (range.end - 1) / offsets_per_block; ++block) {
    dirty_blocks.insert(block);
    blocks_to_thin.insert({block, block + 1});
  }
  deliveries.erase(deliveries.lower_bound(range.begin), deliveries.lower_bound(range.end));
  return acked.size() - before;
}

void queue_marks::set_deliveries(offset_t offset, std::uint32_t count) {
  deliveries[offset] = std::min(count, deliveries_max);
  dirty_blocks.insert(offset / offsets_per_block);
}

void queue_marks::erase_below(offset_t log_start) {
  acked.erase_below(log_start);
  deliveries.erase(deliveries.begin(), deliveries.lower_bound(log_start));
  const std::uint64_t floor = log_start / offsets_per_block;
  dirty_blocks.erase(dirty_blocks.begin(), dirty_blocks.lower_bound(floor));
  blocks_to_thin.erase_below(floor);
}

offset_range queue_marks::full_blocks(std::uint64_t number) const {
  const auto range = acked.range_at(number * offsets_per_block);
  if (!range || range->end < (number + 1) * offsets_per_block) return {number, number};
  return {(range->begin + offsets_per_block - 1) / offsets_per_block, range->end / offsets_per_block};
}

ack_block queue_marks::block(std::uint64_t number) const {
  ack_block out;
  if (const offset_range full = full_blocks(number); !full.empty()) out.full_after = full.end - 1 - number;
  const offset_t base = number * offsets_per_block, end = base + offsets_per_block;
  for (auto range = acked.range_from(base); range && range->begin < end; range = acked.range_from(range->end)) {
    for (offset_t offset = std::max(range->begin, base); offset < std::min(range->end, end); ++offset) {
      const auto bit = offset - base;
      out.bits[bit / 8] = static_cast<char>(out.bits[bit / 8] | (1 << (bit % 8)));
    }
  }
  for (auto counted = deliveries.lower_bound(base); counted != deliveries.end() && counted->first < end; ++counted) {
    out.deliveries.emplace_back(static_cast<std::uint16_t>(counted->first - base), counted->second);
  }
  return out;
}

std::optional<std::uint64_t> queue_marks::next_block(std::uint64_t number) const {
  const offset_t base = number * offsets_per_block;
  const auto range = acked.range_from(base);
  const auto counted = deliveries.lower_bound(base);
  std::optional<offset_t> first;
  if (range) first = std::max(range->begin, base);
  if (counted != deliveries.end()) first = std::min(first.value_or(counted->first), counted->first);
  if (!first) return std::nullopt;
  return *first / offsets_per_block;
}

bool queue_marks::empty() const {
  return acked.empty() && deliveries.empty() && dirty_blocks.empty() && stored_blocks.empty() && blocks_to_thin.empty();
}

}  // namespace tidegate::store
