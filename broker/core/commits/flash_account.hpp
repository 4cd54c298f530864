// Bytes written to flash, as a flash_meter counts them: since the start of the process, in this day, and since the
// store was made. A day is 24 hours of monotonic time, counted from the start: a gateway's wall clock cannot be
// trusted. If the meter cannot be read, the figures are unknown and none is guessed.
#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/base/flash_meter.hpp"

namespace tidegate::core::commits {

constexpr milliseconds flash_day = std::chrono::hours(24);

class flash_account {
 public:
  // `written_before`: bytes since the store was made, by earlier processes.
  flash_account(const clock& clock, std::uint64_t written_before) : clock_(clock), written_before_(written_before) {}

  // Starts the first day. Bytes that were written before, above all to fill a new store, are in no day.
  void measure_by(const flash_meter& meter);
  // Reads the meter, at most once a second.
  void measure();
  // Records that a commit was written. Its cost is known with the next reading.
  void committed() { ++commits_unread_; }

  bool is_known() const { return reading_.has_value(); }
  std::optional<std::uint64_t> since_start() const { return reading_; }
  std::optional<std::uint64_t> today() const;
  std::optional<std::uint64_t> since_made() const;
  // Returns the bytes for a day at the rate of this day and the one before; none in the first minute.
  std::optional<std::uint64_t> per_day() const;

  // Returns the bytes of this day, with an estimate for commits since the last reading; 0 if unknown.
  std::uint64_t today_estimate() const;
  // A moving average; 0 before the first reading.
  std::uint64_t commit_cost() const { return static_cast<std::uint64_t>(commit_cost_); }
  milliseconds day_begin() const { return day_begin_; }

 private:
  void begin_days(milliseconds now);

  const clock& clock_;
  std::uint64_t written_before_;
  const flash_meter* meter_ = nullptr;
  std::optional<std::uint64_t> reading_;
  milliseconds read_at_{0};
  milliseconds day_begin_{0};
  std::optional<std::uint64_t> at_day_begin_;  // the reading at the day's start, or the first one
  std::optional<std::uint64_t> yesterday_;     // none on the first day
  std::uint64_t commits_unread_ = 0;
  double commit_cost_ = 0;
};

}  // namespace tidegate::core::commits
