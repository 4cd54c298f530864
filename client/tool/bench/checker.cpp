#include "client/tool/bench/checker.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "client/tool/bench/body.hpp"

namespace tidegate::tool::bench {

void findings::merge(const findings& other) {
  checked += other.checked;
  lost += other.lost;
  duplicates += other.duplicates;
  out_of_order += other.out_of_order;
  damaged += other.damaged;
  foreign += other.foreign;
  redelivered += other.redelivered;
  untraceable += other.untraceable;
  if (first.empty()) first = other.first;
}

checker::checker(expectation expected) : expected_(std::move(expected)) { begin_again(); }

void checker::begin_again() {
  seen_.assign(expected_.publishers, {});
  last_.assign(expected_.publishers * expected_.readers, 0);
}

void checker::blame(std::uint64_t& count, std::string_view what, std::uint32_t publisher, std::uint64_t sequence) {
  ++count;
  if (!found_.first.empty()) return;
  found_.first = fmt::format("{}: message {} of publisher {} {}", expected_.name, sequence, publisher, what);
}

void checker::take(std::string_view body, bool redelivered, std::size_t reader) {
  ++found_.checked;
  const auto from = read_stamp(body);
  if (!from) {
    ++found_.foreign;
    if (found_.first.empty()) {
      found_.first = fmt::format("{}: a body of {} bytes that this tool did not make", expected_.name, body.size());
    }
    return;
  }
  if (!is_whole(body)) return blame(found_.damaged, "has a wrong CRC", from->publisher, from->sequence);
  if (from->run != expected_.run || from->target != expected_.target || from->publisher >= seen_.size()) {
    return blame(found_.foreign, "is of another run or for another target", from->publisher, from->sequence);
  }
  const bool fresh = seen_[from->publisher].insert(from->sequence);
  if (!fresh && redelivered) {
    ++found_.redelivered;
  } else if (!fresh) {
    blame(found_.duplicates, "came again, not flagged as redelivered", from->publisher, from->sequence);
  }
  if (!fresh || redelivered || !expected_.ordered) return;
  std::uint64_t& last = last_[reader * expected_.publishers + from->publisher];
  if (from->sequence < last) blame(found_.out_of_order, "came behind a later one", from->publisher, from->sequence);
  last = std::max(last, from->sequence);
}

void checker::conclude(std::span<const promise* const> promises, std::uint64_t dropped) {
  std::uint64_t missing = 0;
  for (std::uint32_t publisher = 0; publisher < promises.size(); ++publisher) {
    const promise& told = *promises[publisher];
    if (seen_[publisher].overflown() || told.excused.overflown()) {
      blame(found_.untraceable, "and others leave too many gaps to be followed", publisher, told.sent);
      continue;
    }
    const auto absent = seen_[publisher].missing(told.sent, told.excused);
    missing += absent.count;
    if (absent.count == 0 || missing <= dropped || !found_.first.empty()) continue;
    found_.first = fmt::format("{}: message {} of publisher {} was confirmed and never came", expected_.name,
                               absent.first, publisher);
  }
  found_.lost += missing - std::min(missing, dropped);
}

}  // namespace tidegate::tool::bench
