// The store's time, from two clocks: its lifetime, which retention by age uses, and the time of day for timestamps. The
// monotonic clock is right while the process lives; the wall clock only while it is trusted.
//
// Between two processes of one boot, the boot's own clock measures the gap. Between two boots, only two trusted wall
// times do; without them no time counts as passed, so nothing expires too early. Even a trusted clock is sometimes
// years off for a moment, so the second trusted time has to hold for a while before it counts. A wall clock that jumps
// changes neither the store's lifetime nor stored records.
#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/store/format.hpp"

namespace tidegate::core::commits {

class timeline {
 public:
  // `last`: time of the store's newest commit.
  timeline(const store::commit_time& last, const clock& clock);

  // Returns the time for the next commit.
  store::commit_time now();
  // Time for timestamps: the wall clock if it is trusted, otherwise the last trusted time plus what has passed since.
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
  milliseconds estimate_;    // wall clock minus monotonic, at the last trusted time
  milliseconds looked_{-1};  // monotonic; when the wall clock's trust was last checked
  bool is_trusted_ = false;
  bool knows_absence_ = false;  // lifetime_ includes the time that the machine was off
  // Since when the wall clock has been trusted, with a constant distance to the monotonic clock.
  struct steady_time {
    milliseconds since{0}, ahead{0};
  };
  std::optional<steady_time> steady_;
};

}  // namespace tidegate::core::commits
