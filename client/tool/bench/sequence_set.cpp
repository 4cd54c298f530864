#include "client/tool/bench/sequence_set.hpp"

#include <algorithm>
#include <iterator>

namespace tidegate::tool::bench {

bool sequence_set::insert(std::uint64_t number) {
  auto next = runs_.upper_bound(number);
  const bool has_before = next != runs_.begin();
  const auto before = has_before ? std::prev(next) : runs_.end();
  if (has_before && number <= before->second) return false;
  const bool extends = has_before && before->second + 1 == number;
  const bool joins = next != runs_.end() && next->first == number + 1;
  if (extends) {
    before->second = joins ? next->second : number;
    if (joins) runs_.erase(next);
  } else if (joins) {
    auto moved = runs_.extract(next);
    moved.key() = number;
    runs_.insert(std::move(moved));
  } else if (runs_.size() < runs_max) {
    runs_.emplace_hint(next, number, number);
  } else {
    overflown_ = true;
  }
  return true;
}

bool sequence_set::contains(std::uint64_t number) const {
  const auto next = runs_.upper_bound(number);
  return next != runs_.begin() && number <= std::prev(next)->second;
}

std::uint64_t sequence_set::overlap(const sequence_set& excused, std::uint64_t first, std::uint64_t last) {
  auto run = excused.runs_.upper_bound(first);
  if (run != excused.runs_.begin()) --run;
  std::uint64_t count = 0;
  for (; run != excused.runs_.end() && run->first <= last; ++run) {
    if (run->second >= first) count += std::min(last, run->second) - std::max(first, run->first) + 1;
  }
  return count;
}

void sequence_set::add_missing(absence& to, std::uint64_t first, std::uint64_t last,
                               const sequence_set& excused) const {
  if (first > last) return;
  const std::uint64_t count = last - first + 1 - overlap(excused, first, last);
  if (count == 0) return;
  if (to.count == 0) {
    to.first = first;
    while (excused.contains(to.first)) ++to.first;
  }
  to.count += count;
}

sequence_set::absence sequence_set::missing(std::uint64_t last, const sequence_set& excused) const {
  absence found;
  std::uint64_t next = 1;
  for (const auto& [first, end] : runs_) {
    if (first > last) break;
    add_missing(found, next, first - 1, excused);
    next = end + 1;
  }
  add_missing(found, next, last, excused);
  return found;
}

}  // namespace tidegate::tool::bench
