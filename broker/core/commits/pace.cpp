#include "broker/core/commits/pace.hpp"

#include <algorithm>

namespace tidegate::core::commits {
namespace {

using std::chrono::microseconds;

// The clock counts whole milliseconds and timers are late by some: without this much leave, 300 commits a second would
// come out as 250.
constexpr microseconds early_max{1'000};

}  // namespace

pace::pace(pace_options options, const clock& clock, std::uint64_t flash_bytes_before)
    : options_(std::move(options)),
      clock_(clock),
      budget_(options_.budget_bytes_per_day),
      flash_(clock, flash_bytes_before),
      stretched_(options_.linger) {}

// Called for every message: time never goes back, so work that may wait as long as earlier work is due later.
bool pace::note(milliseconds wait_max) {
  if (wait_max >= wait_shortest_) return false;
  wait_shortest_ = wait_max;
  const milliseconds now = clock_.monotonic();
  const milliseconds until = now + std::max(wait_max, options_.linger_max);
  stretched_until_ = due_ ? std::min(stretched_until_, until) : until;
  if (due_ && *due_ <= now + wait_max) return false;
  due_ = now + wait_max;
  return true;
}

void pace::awaited() {
  if (!awaited_since_) awaited_since_ = clock_.monotonic();
}

milliseconds pace::wait() const {
  if (is_hurried_) return milliseconds(0);
  milliseconds at = std::max(*due_, std::chrono::ceil<milliseconds>(next_at_));
  if (is_budgeted()) at = std::max(at, std::min(affordable_at(), stretched_until_));
  return std::max(milliseconds(0), at - clock_.monotonic());
}

// When the budget allows what is written today and one commit more.
milliseconds pace::affordable_at() const {
  return flash_.day_begin() + budget_.affords(flash_.today_estimate() + flash_.commit_cost());
}

void pace::handed_over() {
  const milliseconds now = clock_.monotonic();
  handed_over_at_ = now;
  // Waiting for the writer is no matter of the pace.
  waited_ = awaited_since_ ? std::optional(now - std::max(*awaited_since_, free_since_)) : std::nullopt;
  if (is_budgeted() && !is_hurried_) is_exceeded_ = affordable_at() > now;
  forget_group();
}

void pace::committed(bool is_written) {
  const milliseconds now = free_since_ = clock_.monotonic();
  if (!is_written) return;
  if (options_.per_second_max > 0) {
    next_at_ = std::max<microseconds>(next_at_, handed_over_at_ - early_max) +
               microseconds(std::chrono::seconds(1)) / options_.per_second_max;
  }
  recent_.add(now, waited_);
  flash_.committed();
  flash_.measure();
  const milliseconds least = options_.linger;
  stretched_ = is_budgeted() ? std::clamp(affordable_at() - now, least, std::max(least, options_.linger_max)) : least;
}

std::string_view pace::budget_state() const {
  if (!budget_.is_set()) return "off";
  if (!flash_.is_known()) return "unknown";
  if (is_exceeded_ || flash_.today_estimate() > budget_.bytes_per_day()) return "exceeded";
  return stretched_ > options_.linger ? "stretching" : "kept";
}

void pace::forget_group() {
  wait_shortest_ = milliseconds::max();
  due_.reset();
  awaited_since_.reset();
  is_hurried_ = false;
}

}  // namespace tidegate::core::commits
