// Chooses the timestamp that a record is sent with. A record's own timestamp may be years off because it was made while
// a clock was wrong. A destination that bounds timestamps would refuse such a record, and no record may be lost because
// of its timestamp. Such a record is sent with the current time instead, which is about the time of its arrival; its
// own timestamp is sent in the header `tg-timestamp`.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "broker/base/clock.hpp"

namespace tidegate::bridge {

constexpr std::string_view header_timestamp = "tg-timestamp";

// Bounds of a record's timestamp, relative to the current time. By default Kafka accepts a timestamp up to an hour
// ahead and any time behind, but its retention deletes a record that is decades behind at once.
struct time_bounds {
  milliseconds ahead_max = std::chrono::minutes(30);
  milliseconds behind_max = std::chrono::hours(24 * 3'650);
};

class record_times {
 public:
  record_times(time_bounds bounds, const clock& clock) : bounds_(bounds), clock_(clock) {}

  // Returns the timestamp to send the record with instead of its own, in milliseconds since 1970; none = its own is
  // good. While this machine's clock is not trusted, only the destination's refusals show which timestamps are off.
  std::optional<std::int64_t> corrected(std::int64_t timestamp_ms) const;
  // Notes that the destination accepted a record with this timestamp.
  void accepted(std::int64_t timestamp_ms) {
    accepted_ms_ = timestamp_ms;
    refused_ms_.reset();
  }
  // Notes that the destination refused a record because of this timestamp, and narrows the bounds.
  void refused(std::int64_t timestamp_ms);

 private:
  std::optional<std::int64_t> reference_ms() const;
  bool is_off(std::int64_t timestamp_ms) const;

  const time_bounds bounds_;
  const clock& clock_;
  std::int64_t accepted_ms_ = 0;
  std::optional<std::int64_t> refused_ms_;  // the last one refused; not set after the next one accepted
  // Bounds learned from refusals: a timestamp further ahead or behind than these is corrected.
  std::int64_t ahead_max_ms_ = std::numeric_limits<std::int64_t>::max(), behind_max_ms_ = ahead_max_ms_;
};

}  // namespace tidegate::bridge
