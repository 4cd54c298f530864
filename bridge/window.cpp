#include "bridge/window.hpp"

#include <algorithm>

#include "broker/base/error.hpp"

namespace tidegate::bridge {

void window::push(const entry& added) {
  TIDEGATE_EXPECT(entries_.empty() || entries_.back().offset < added.offset);
  entries_.push_back(added);
  if (!added.settled) ++unsettled_;
}

const window::entry* window::settle(offset_t offset, destination where) {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), offset,
                                   [](const entry& one, offset_t wanted) { return one.offset < wanted; });
  if (at == entries_.end() || at->offset != offset || at->settled) return nullptr;
  at->settled = true;
  at->where = where;
  --unsettled_;
  return &*at;
}

std::optional<window::entry> window::pop_settled() {
  if (entries_.empty() || !entries_.front().settled) return std::nullopt;
  const entry oldest = entries_.front();
  entries_.pop_front();
  return oldest;
}

void window::clear() {
  entries_.clear();
  unsettled_ = 0;
}

}  // namespace tidegate::bridge
