#include "bridge/backoff.hpp"

#include <algorithm>

namespace tidegate::bridge {

backoff::backoff(std::chrono::milliseconds min, std::chrono::milliseconds max)
    : min_(min), max_(max), span_(min), random_(std::random_device{}()) {}

std::chrono::milliseconds backoff::next() {
  const auto span = span_.count();
  span_ = std::min(span_ * 2, max_);
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::chrono::milliseconds::rep>(span / 2, span)(random_));
}

}  // namespace tidegate::bridge
