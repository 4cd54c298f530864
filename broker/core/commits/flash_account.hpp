// A flash_account counts the bytes written to flash, as a flash_meter reports them: since the process started, on the
// present day, and since the store was made. A day is 24 hours of monotonic time, counted from measure_by() on, because
// a gateway's wall clock cannot be trusted. If the meter cannot be read, the figures are none rather than estimates.
#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/base/flash_meter.hpp"

namespace tidegate::core::commits {

constexpr milliseconds flash_day = std::chrono::hours(24);

class flash_account {
 public:
  // `written_before`: bytes that earlier processes wrote since the store was made.
  flash_account(const clock& clock, std::uint64_t written_before) : clock_(clock), written_before_(written_before) {}

  // Starts measuring with this meter, which must outlive the account, and starts the first day. Bytes that this process
  // has written before, mainly to fill a new store, count for no day.
  void measure_by(const flash_meter& meter);
  // Reads the meter, unless the last reading is less than a second old.
  void measure();
  // Notes that a commit was written. Its cost shows in the next reading.
  void committed() { ++commits_unread_; }

  // Returns whether the last reading succeeded. If not, the four figures below are none.
  bool is_known() const { return reading_.has_value(); }
  std::optional<std::uint64_t> since_start() const { return reading_; }
  std::optional<std::uint64_t> today() const;
  std::optional<std::uint64_t> since_made() const;
  // Projects the bytes of a whole day from the rate of this day and the day before; none in the first minute.
  std::optional<std::uint64_t> per_day() const;

  // Returns the bytes of this day, plus the estimated cost of the commits since the last reading. 0 if there was no
  // reading yet.
  std::uint64_t today_estimate() const;
  // Returns the bytes that one commit costs, as a moving average; 0 before the first is measured.
  std::uint64_t commit_cost() const { return static_cast<std::uint64_t>(commit_cost_); }
  // Returns the monotonic time at which the present day started.
  milliseconds day_begin() const { return day_begin_; }

 private:
  void begin_days(milliseconds now);

  const clock& clock_;
  std::uint64_t written_before_;
  const flash_meter* meter_ = nullptr;
  std::optional<std::uint64_t> reading_;
  milliseconds read_at_{0};
  milliseconds day_begin_{0};
  std::optional<std::uint64_t> at_day_begin_;  // reading at the day's start, or the first one that succeeded after that
  std::optional<std::uint64_t> yesterday_;     // none on the first day
  std::uint64_t commits_unread_ = 0;
  double commit_cost_ = 0;
};

}  // namespace tidegate::core::commits
