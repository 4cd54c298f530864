// The times at which the publishes of an open loop are due, fixed before the run. A broker (or a generator) that falls
// behind then shows as latency of every publish that was due meanwhile, and not as fewer publishes.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace tidegate::tool::bench {

class schedule {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  // `per_second`: publishes of all `members` publishers together, which take turns. This one is number `member`, from
  // 0.
  schedule(time_point begin, double per_second, std::size_t member, std::size_t members)
      : begin_(begin), gap_ns_(1e9 / per_second), member_(member), members_(members) {}

  // Returns when publish number `number` of this publisher is due, from 0.
  time_point at(std::uint64_t number) const {
    const double turn = static_cast<double>(number) * static_cast<double>(members_) + static_cast<double>(member_);
    return begin_ + std::chrono::nanoseconds(std::llround(turn * gap_ns_));
  }
  // Returns how many publishes of this publisher are due before `end`.
  std::uint64_t due_before(time_point end) const {
    const double turns = static_cast<double>((end - begin_) / std::chrono::nanoseconds(1)) / gap_ns_;
    const double own = (turns - static_cast<double>(member_)) / static_cast<double>(members_);
    return own <= 0 ? 0 : static_cast<std::uint64_t>(std::ceil(own));
  }

 private:
  time_point begin_;
  double gap_ns_;
  std::size_t member_;
  std::size_t members_;
};

}  // namespace tidegate::tool::bench
