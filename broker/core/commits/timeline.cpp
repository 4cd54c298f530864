#include "broker/core/commits/timeline.hpp"

#include <algorithm>

namespace tidegate::core::commits {
namespace {

// Asking whether the clock is trusted is a system call, and there may be a hundred thousand publishes a second.
constexpr milliseconds look_interval{1'000};

// A trusted clock counts for the time that the machine was off, after it was steady for steady_time_min: it moved
// against the monotonic clock by no more than steady_step_max.
constexpr milliseconds steady_time_min = std::chrono::minutes(10);
constexpr milliseconds steady_step_max = std::chrono::minutes(1);

}  // namespace

timeline::timeline(const store::commit_time& last, const clock& clock)
    : clock_(clock), last_(last), started_(clock.monotonic()), lifetime_(last.lifetime) {
  const boot_time boot = clock.boot();
  milliseconds passed{0};
  if (boot.boot != 0 && boot.boot == last.boot) {
    passed = std::max(milliseconds(0), boot.elapsed - last.boot_elapsed);
    knows_absence_ = true;
  }
  lifetime_ += passed;
  // A new store has no earlier time to continue from, and the wall clock is the best guess there is.
  const bool is_new = last.wall.count() == 0;
  estimate_ = (is_new ? clock.wall() : last.wall + passed) - started_;
}

void timeline::look() {
  const milliseconds now = clock_.monotonic();
  if (looked_.count() >= 0 && now - looked_ < look_interval) return;
  looked_ = now;
  is_trusted_ = clock_.is_wall_trusted();
  if (knows_absence_ || !last_.wall_trusted || !stands(now)) return;
  knows_absence_ = true;
  // Both times are trusted, so their difference is the time between them, and includes the time since the start.
  const milliseconds known = last_.lifetime + (clock_.wall() - last_.wall);
  lifetime_ = std::max(lifetime_, known - since_start());
}

bool timeline::stands(milliseconds now) {
  if (!is_trusted_) {
    steady_.reset();
    return false;
  }
  const milliseconds ahead = clock_.wall() - now;
  if (!steady_ || std::chrono::abs(ahead - steady_->ahead) > steady_step_max) steady_ = {now, ahead};
  return now - steady_->since >= steady_time_min;
}

bool timeline::is_wall_trusted() {
  look();
  return is_trusted_;
}

timeline::reading timeline::read() {
  look();
  const milliseconds now = clock_.monotonic();
  if (is_trusted_) estimate_ = clock_.wall() - now;
  return {estimate_ + now, is_trusted_};
}

store::commit_time timeline::now() {
  const boot_time boot = clock_.boot();
  const milliseconds wall = this->wall();
  return {lifetime_ + since_start(), wall, is_trusted_, boot.boot, boot.elapsed};
}

}  // namespace tidegate::core::commits
