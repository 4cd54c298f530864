#include "bridge/record_times.hpp"

#include <algorithm>
#include <cstdlib>

namespace tidegate::bridge {

// Returns the time that timestamps are compared with: the current time or, while the clock is not trusted, the last
// timestamp that the destination accepted.
std::optional<std::int64_t> record_times::reference_ms() const {
  if (clock_.is_wall_trusted()) return clock_.wall().count();
  if (accepted_ms_ != 0) return accepted_ms_;
  return std::nullopt;
}

bool record_times::is_off(std::int64_t timestamp_ms) const {
  if (refused_ms_ == timestamp_ms) return true;
  const auto reference = reference_ms();
  if (!reference) return false;
  const std::int64_t ahead = timestamp_ms - *reference;
  if (ahead > ahead_max_ms_ || -ahead > behind_max_ms_) return true;
  const bool knows_now = clock_.is_wall_trusted();
  return knows_now && (ahead > bounds_.ahead_max.count() || -ahead > bounds_.behind_max.count());
}

std::optional<std::int64_t> record_times::corrected(std::int64_t timestamp_ms) const {
  if (!is_off(timestamp_ms)) return std::nullopt;
  return reference_ms().value_or(clock_.wall().count());
}

// The destination's bound is smaller than the difference that it refused, by an unknown amount. Reducing ours to nine
// tenths each time finds that bound in a few refusals, however many records of a backlog are beyond it.
void record_times::refused(std::int64_t timestamp_ms) {
  refused_ms_ = timestamp_ms;
  const std::int64_t ahead = timestamp_ms - reference_ms().value_or(clock_.wall().count());
  std::int64_t& bound = ahead > 0 ? ahead_max_ms_ : behind_max_ms_;
  bound = std::min(bound, std::abs(ahead) / 10 * 9);
}

}  // namespace tidegate::bridge
