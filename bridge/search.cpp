#include "bridge/search.hpp"

#include <algorithm>

namespace tidegate::bridge {

bool search::end(std::uint64_t ticket, recovery found) {
  if (ticket_ != ticket) return false;
  ticket_.reset();
  is_done_ = true;
  present_ = std::move(found.present);
  // If records of ours were found, the next search must not start after the first of them.
  start_ = std::move(found.ends);
  for (const present_record& record : present_) {
    for (destination& from : start_) {
      if (from.partition == record.where.partition) from.offset = std::min(from.offset, record.where.offset);
    }
  }
  return true;
}

void search::reset() {
  ticket_.reset();
  is_done_ = false;
  present_.clear();
}

const present_record* search::find(offset_t offset) const {
  const auto at = std::lower_bound(present_.begin(), present_.end(), offset,
                                   [](const present_record& one, offset_t wanted) { return one.offset < wanted; });
  return at != present_.end() && at->offset == offset ? &*at : nullptr;
}

void search::pass(const destination& where) {
  if (where.offset < 0) return;
  for (destination& from : start_) {
    if (from.partition == where.partition) from.offset = std::max(from.offset, where.offset + 1);
  }
}

}  // namespace tidegate::bridge
