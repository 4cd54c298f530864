#include "broker/core/commits/pace.hpp"

#include <algorithm>

namespace tidegate::core::commits {
namespace {

using std::chrono::microseconds;

// The clock counts whole milliseconds and timers are late: without this tolerance, 300 commits a second would become
// 250.
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
  if (wait_max >= open_.wait_shortest) return false;
  open_.wait_shortest = wait_max;
  const milliseconds now = clock_.monotonic();
  const milliseconds until = now + std::max(wait_max, options_.linger_max);
  open_.stretched_until = open_.due ? std::min(open_.stretched_until, until) : until;
  if (open_.due && *open_.due <= now + wait_max) return false;
  open_.due = now + wait_max;
  return true;
}

void pace::awaited() {
  if (!open_.awaited_since) open_.awaited_since = clock_.monotonic();
}

milliseconds pace::wait() const {
  if (open_.is_hurried) return milliseconds(0);
  milliseconds at = std::max(*open_.due, std::chrono::ceil<milliseconds>(next_at_));
  if (is_budgeted()) at = std::max(at, std::min(affordable_at(), open_.stretched_until));
  return std::max(milliseconds(0), at - clock_.monotonic());
}

// Returns when the budget allows what was written today and one more commit.
milliseconds pace::affordable_at() const {
  return flash_.day_begin() + budget_.affords(flash_.today_estimate() + flash_.commit_cost());
}

void pace::handed_over() {
  const milliseconds now = clock_.monotonic();
  departed_.at = now;
  // The wait for the writer is not caused by the pace.
  departed_.waited =
      open_.awaited_since ? std::optional(now - std::max(*open_.awaited_since, writer_free_since_)) : std::nullopt;
  if (is_budgeted() && !open_.is_hurried) is_exceeded_ = affordable_at() > now;
  open_ = {};
}

void pace::committed(bool is_written) {
  const milliseconds now = writer_free_since_ = clock_.monotonic();
  if (!is_written) return;
  if (options_.per_second_max > 0) {
    next_at_ = std::max<microseconds>(next_at_, departed_.at - early_max) +
               microseconds(std::chrono::seconds(1)) / options_.per_second_max;
  }
  recent_.add(now, departed_.waited);
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

}  // namespace tidegate::core::commits
