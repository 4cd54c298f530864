#include "bridge/record_times.hpp"

#include <algorithm>

namespace tidegate::bridge {

bool record_times::is_off(std::int64_t timestamp_ms) const {
  if (clock_.is_wall_trusted()) {
    const std::int64_t now = clock_.wall().count();
    if (timestamp_ms > now + bounds_.ahead_max.count() || timestamp_ms < now - bounds_.behind_max.count()) return true;
    // What was refused for being ahead may be right by now.
    if (refused_from_ && timestamp_ms >= *refused_from_ && timestamp_ms > now) return true;
  } else if (refused_from_ && timestamp_ms >= *refused_from_) {
    return true;
  }
  return refused_to_ && timestamp_ms <= *refused_to_;
}

std::optional<std::int64_t> record_times::corrected(std::int64_t timestamp_ms) const {
  if (!is_off(timestamp_ms)) return std::nullopt;
  // The next best of a right clock is a time that the destination took.
  const bool knows_now = clock_.is_wall_trusted() || accepted_ms_ == 0;
  return knows_now ? clock_.wall().count() : accepted_ms_;
}

void record_times::refused(std::int64_t timestamp_ms) {
  const std::int64_t right = accepted_ms_ != 0 ? accepted_ms_ : clock_.wall().count();
  if (timestamp_ms >= right) {
    refused_from_ = std::min(refused_from_.value_or(timestamp_ms), timestamp_ms);
  } else {
    refused_to_ = std::max(refused_to_.value_or(timestamp_ms), timestamp_ms);
  }
}

}  // namespace tidegate::bridge
