// Bytes written to flash, as a flash_meter counts them: since the process began, in this day, since the store was made.
// A day is 24 hours of monotonic time from the start on: a gateway's wall clock cannot be trusted. Where the meter
// cannot be read nothing is known, and nothing is made up.
#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/base/flash_meter.hpp"

namespace tidegate::core::commits {

constexpr milliseconds flash_day = std::chrono::hours(24);

class flash_account {
 public:
  // `written_before`: since the store was made, by the processes before this one.
  flash_account(const clock& clock, std::uint64_t written_before) : clock_(clock), written_before_(written_before) {}

  // What was written so far, filling a new store above all, is none of today's: the first day begins now.
  void measure_by(const flash_meter& meter);
  // Reads the meter, unless it did so less than a second ago.
  void measure();
  // A commit was written. What it cost shows in the next reading.
  void committed() { ++commits_unread_; }

  bool is_known() const { return reading_.has_value(); }
  std::optional<std::uint64_t> since_start() const { return reading_; }
  std::optional<std::uint64_t> today() const;
  std::optional<std::uint64_t> since_made() const;
  // What a day costs at the rate of this day and the one before; none in the first minute.
  std::optional<std::uint64_t> per_day() const;

  // Of this day, with what commits since the last reading cost by experience. 0 where nothing is known.
  std::uint64_t today_estimate() const;
  // A moving average; 0 before the first.
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
  std::optional<std::uint64_t> at_day_begin_;  // the reading then, or the first there was
  std::optional<std::uint64_t> yesterday_;     // none on the first day
  std::uint64_t commits_unread_ = 0;
  double commit_cost_ = 0;
};

}  // namespace tidegate::core::commits
