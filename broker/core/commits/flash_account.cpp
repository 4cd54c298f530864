#include "broker/core/commits/flash_account.hpp"

namespace tidegate::core::commits {
namespace {

constexpr milliseconds between_readings{1'000};
// A shorter time is no base for projecting a day.
constexpr milliseconds projected_from = std::chrono::minutes(1);
// Weight of the newest reading in the moving average: about the last eight count.
constexpr double newest_share = 1.0 / 8;

}  // namespace

void flash_account::measure_by(const flash_meter& meter) {
  meter_ = &meter;
  at_day_begin_ = reading_ = meter.bytes_written();
  read_at_ = day_begin_ = clock_.monotonic();
  commits_unread_ = 0;
}

void flash_account::measure() {
  const milliseconds now = clock_.monotonic();
  if (meter_ == nullptr || now - read_at_ < between_readings) return;
  const auto before = reading_;
  reading_ = meter_->bytes_written();
  read_at_ = now;
  if (!at_day_begin_) at_day_begin_ = reading_;
  if (before && reading_ && commits_unread_ > 0) {
    const double cost = static_cast<double>(*reading_ - *before) / static_cast<double>(commits_unread_);
    commit_cost_ = commit_cost_ == 0 ? cost : commit_cost_ + (cost - commit_cost_) * newest_share;
  }
  commits_unread_ = 0;
  begin_days(now);
}

// Readings are seconds apart, so it does not matter to which day the bytes around its start are counted.
void flash_account::begin_days(milliseconds now) {
  while (now - day_begin_ >= flash_day) {
    yesterday_ = today();
    if (reading_) at_day_begin_ = reading_;
    day_begin_ += flash_day;
  }
}

std::optional<std::uint64_t> flash_account::today() const {
  if (!reading_) return std::nullopt;
  return *reading_ - *at_day_begin_;
}

std::optional<std::uint64_t> flash_account::since_made() const {
  if (!reading_) return std::nullopt;
  return written_before_ + *reading_;
}

std::optional<std::uint64_t> flash_account::per_day() const {
  const auto written = today();
  const milliseconds elapsed = clock_.monotonic() - day_begin_ + (yesterday_ ? flash_day : milliseconds(0));
  if (!written || elapsed < projected_from) return std::nullopt;
  const auto both = static_cast<double>(*written + yesterday_.value_or(0));
  return static_cast<std::uint64_t>(both * static_cast<double>(flash_day.count()) /
                                    static_cast<double>(elapsed.count()));
}

std::uint64_t flash_account::today_estimate() const {
  return today().value_or(0) + static_cast<std::uint64_t>(static_cast<double>(commits_unread_) * commit_cost_);
}

}  // namespace tidegate::core::commits
