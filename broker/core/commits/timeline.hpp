// One story out of two clocks: how long the store has lived, which retention by age goes by, and what time it is, for
// timestamps. The monotonic clock is right while the process lives; the wall clock only while somebody vouches for it.
//
// Between two processes of one boot the boot's own clock tells what passed. Between two boots only two trusted wall
// times do; without them nothing is taken to have passed, so nothing expires before its time. Even a trusted clock is
// sometimes years off for a moment, so the second of them has to stand for a while before it counts. A wall clock that
// jumps changes neither the store's lifetime nor what is stored.
#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/store/format.hpp"

namespace tidegate::core::commits {

class timeline {
 public:
  // `last` is the time of the store's newest commit.
  timeline(const store::commit_time& last, const clock& clock);

  // What the next commit is stamped with.
  store::commit_time now();
  // For timestamps: the wall clock where it is trusted, else the last time known plus what has passed since.
  struct reading {
    milliseconds wall{0};
    bool is_trusted = false;
  };
  reading read();
  milliseconds wall() { return read().wall; }
  bool is_wall_trusted();

 private:
  void look();
  bool stands(milliseconds now);
  milliseconds since_start() const { return clock_.monotonic() - started_; }

  const clock& clock_;
  store::commit_time last_;
  milliseconds started_;     // monotonic
  milliseconds lifetime_;    // at the start
  milliseconds estimate_;    // wall less monotonic, as of the last trusted time
  milliseconds looked_{-1};  // monotonic, when the wall clock was last asked whether it is trusted
  bool is_trusted_ = false;
  bool knows_absence_ = false;  // how long the machine was off is in lifetime_
  // Trusted since then, and all the time so far ahead of the monotonic clock.
  struct steady_time {
    milliseconds since{0}, ahead{0};
  };
  std::optional<steady_time> steady_;
};

}  // namespace tidegate::core::commits
