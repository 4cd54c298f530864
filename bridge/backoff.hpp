// Waiting times between attempts: doubled from `min` to `max`, each drawn at random from the upper half of its span, so
// that gateways that lost the same centre do not return at the same time.
#pragma once

#include <chrono>
#include <random>

namespace tidegate::bridge {

class backoff {
 public:
  backoff(std::chrono::milliseconds min, std::chrono::milliseconds max);
  std::chrono::milliseconds next();
  void reset() { span_ = min_; }

 private:
  std::chrono::milliseconds min_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds span_;
  std::minstd_rand random_;
};

}  // namespace tidegate::bridge
