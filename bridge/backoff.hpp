// Pauses between attempts to connect. The span doubles from `min` to `max`. Each pause is drawn at random from the
// upper half of the span, so that gateways that lost the same centre do not reconnect in step.
#pragma once

#include <chrono>
#include <random>

namespace tidegate::bridge {

class backoff {
 public:
  backoff(std::chrono::milliseconds min, std::chrono::milliseconds max);
  // Returns the pause before the next attempt and doubles the span for the one after.
  std::chrono::milliseconds next();
  void reset() { span_ = min_; }

 private:
  std::chrono::milliseconds min_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds span_;
  std::minstd_rand random_;
};

}  // namespace tidegate::bridge
