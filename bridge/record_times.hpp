// The time that a record is sent with. A record's own time may be years off, made while a clock was wrong, and a
// destination that bounds times would refuse the record. A record must not be lost for its time, so it is sent with the
// time of its arrival instead, and its own time goes into the header `tg-timestamp`.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "broker/base/clock.hpp"

namespace tidegate::bridge {

constexpr std::string_view header_timestamp = "tg-timestamp";

// How far a record's time may be from now. Kafka's default allows an hour ahead, and any time behind; but a record that
// is decades old is deleted by its retention at once.
struct time_bounds {
  milliseconds ahead_max = std::chrono::minutes(30);
  milliseconds behind_max = std::chrono::hours(24 * 3'650);
};

class record_times {
 public:
  record_times(time_bounds bounds, const clock& clock) : bounds_(bounds), clock_(clock) {}

  // Returns the time to send instead of the record's own; none = its own is fine. While this machine's clock is not
  // trusted, only refusals by the destination show which times are off.
  std::optional<std::int64_t> corrected(std::int64_t timestamp_ms) const;
  // The destination took a record of this time, or refused it for its time.
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
  std::optional<std::int64_t> refused_ms_;  // the last one, until another is accepted
  // Learned from refusals: times this far ahead or behind are refused.
  std::int64_t ahead_max_ms_ = std::numeric_limits<std::int64_t>::max(), behind_max_ms_ = ahead_max_ms_;
};

}  // namespace tidegate::bridge
