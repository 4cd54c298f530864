// How long a peer has been silent, and what is due because of it.
#pragma once

#include "broker/base/clock.hpp"

namespace tidegate::net {

class silence {
 public:
  // Time since the last byte, on the monotonic clock; milliseconds::max() = never.
  struct bounds {
    milliseconds ask_after = milliseconds::max();  // ask whether the peer is alive, once in a silence
    milliseconds end_after = milliseconds::max();  // the peer counts as dead
  };
  enum class due { nothing, ask, end };

  explicit silence(milliseconds now) : heard_(now) {}

  // Call when bytes came, or when the peer could not be heard because its bytes were not read.
  void heard(milliseconds now) {
    heard_ = now;
    asked_ = false;
  }
  milliseconds length(milliseconds now) const { return now - heard_; }
  // Returns what is due now. `ask` is due once, until the peer is heard again.
  due look(milliseconds now, const bounds& bounds);
  // Returns when something is due next, on the monotonic clock; milliseconds::max() = never.
  milliseconds deadline(const bounds& bounds) const;

 private:
  milliseconds heard_;
  bool asked_ = false;
};

}  // namespace tidegate::net
