// The timeline combines two clocks into the lifetime of the store, by which retention by age counts, and the time of
// day for timestamps. The monotonic clock is right while the process lives. The wall clock is right only while it is
// trusted: while the kernel or the operator vouches for it.
//
// Between two processes of one boot, the boot's own clock measures the time that passed. Between two boots, only two
// trusted wall times can. Without them no time counts as passed, so nothing expires too early. Even a trusted clock is
// sometimes years off for a moment, so the second of the two times counts only after the clock was steady for a while.
// A wall clock that jumps changes neither the store's lifetime nor stored records.
#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/store/format.hpp"

namespace tidegate::core::commits {

class timeline {
 public:
  // `last`: time of the store's newest commit. `clock` must outlive the timeline.
  timeline(const store::commit_time& last, const clock& clock);

  // Returns the age of the store: time that is known to have passed since it was made.
  milliseconds lifetime() const { return lifetime_ + since_start(); }
  // Returns the time to stamp the next commit with.
  store::commit_time now();
  // A time for timestamps: the wall clock if it is trusted, otherwise the last trusted time plus the time since.
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
  milliseconds estimate_;    // wall less monotonic time, as of the last trusted time
  milliseconds looked_{-1};  // monotonic time of the last look at the wall clock's trust; -1 = never
  bool is_trusted_ = false;
  bool knows_absence_ = false;  // lifetime_ includes the time that the machine was off
  // Since when the wall clock is trusted, and by how much it is ahead of the monotonic clock all that time.
  struct steady_time {
    milliseconds since{0}, ahead{0};
  };
  std::optional<steady_time> steady_;
};

}  // namespace tidegate::core::commits
