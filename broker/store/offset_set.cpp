#include "broker/store/offset_set.hpp"

#include <algorithm>

namespace tidegate::store {

void offset_set::insert(offset_range range) {
  if (range.empty()) return;
  auto next = ranges_.upper_bound(range.begin);
  if (next != ranges_.begin()) {
    const auto before = std::prev(next);
    if (before->second >= range.end) return;
    if (before->second >= range.begin) {
      range.begin = before->first;
      next = before;
    }
  }
  while (next != ranges_.end() && next->first <= range.end) {
    range.end = std::max(range.end, next->second);
    size_ -= next->second - next->first;
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, range.begin, range.end);
  size_ += range.size();
}

void offset_set::erase_below(offset_t floor) {
  while (!ranges_.empty() && ranges_.begin()->first < floor) {
    const offset_range range{ranges_.begin()->first, ranges_.begin()->second};
    ranges_.erase(ranges_.begin());
    size_ -= range.size();
    if (range.end > floor) insert({floor, range.end});
  }
}

bool offset_set::contains(offset_t offset) const { return range_at(offset).has_value(); }

std::optional<offset_range> offset_set::range_at(offset_t offset) const {
  const auto next = ranges_.upper_bound(offset);
  if (next == ranges_.begin()) return std::nullopt;
  const auto range = std::prev(next);
  if (range->second <= offset) return std::nullopt;
  return offset_range{range->first, range->second};
}

std::optional<offset_range> offset_set::range_from(offset_t offset) const {
  if (const auto range = range_at(offset)) return range;
  const auto next = ranges_.lower_bound(offset);
  if (next == ranges_.end()) return std::nullopt;
  return offset_range{next->first, next->second};
}

}  // namespace tidegate::store
