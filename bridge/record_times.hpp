// With what time a record is sent. A record's own time may be years off, made while a clock was wrong; a destination
// that bounds times would refuse the record for it, and a record is not to be lost for its time. Such a record is sent
// with the time of its arrival instead, and its own goes along in the header `tg-timestamp`.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "broker/base/clock.hpp"

namespace tidegate::bridge {

constexpr std::string_view header_timestamp = "tg-timestamp";

// How far a record's time may be from now. Kafka's default lets it be an hour ahead, and any time behind; but what is
// decades behind its retention deletes at once.
struct time_bounds {
  milliseconds ahead_max = std::chrono::minutes(30);
  milliseconds behind_max = std::chrono::hours(24 * 3'650);
};

class record_times {
 public:
  record_times(time_bounds bounds, const clock& clock) : bounds_(bounds), clock_(clock) {}

  // What to send the record with instead of its own time; none: its own will do. While our own clock is not trusted
  // only what the destination refused says which times are off.
  std::optional<std::int64_t> corrected(std::int64_t timestamp_ms) const;
  // The destination took a record of this time, or would not have it for its time.
  void accepted(std::int64_t timestamp_ms) {
    accepted_ms_ = timestamp_ms;
    refused_ms_.reset();
  }
  void refused(std::int64_t timestamp_ms);

 private:
  std::optional<std::int64_t> reference_ms() const;
  bool is_off(std::int64_t timestamp_ms) const;

  const time_bounds bounds_;
  const clock& clock_;
  std::int64_t accepted_ms_ = 0;
  std::optional<std::int64_t> refused_ms_;  // the last one, until another is taken
  // Learned from refusals: so far ahead and behind is too far.
  std::int64_t ahead_max_ms_ = std::numeric_limits<std::int64_t>::max(), behind_max_ms_ = ahead_max_ms_;
};

}  // namespace tidegate::bridge
