#include "broker/core/commits/flash_budget.hpp"

#include <algorithm>
#include <cmath>

namespace tidegate::core::commits {
namespace {

constexpr std::uint64_t burst_share = 24;
constexpr auto day_ms = static_cast<double>(flash_day.count());

}  // namespace

std::uint64_t flash_budget::allowed(milliseconds elapsed) const {
  const std::uint64_t burst = bytes_ / burst_share;
  const double share = std::min(1.0, static_cast<double>(elapsed.count()) / day_ms);
  return burst + static_cast<std::uint64_t>(static_cast<double>(bytes_ - burst) * share);
}

milliseconds flash_budget::affords(std::uint64_t bytes) const {
  const std::uint64_t burst = bytes_ / burst_share;
  if (bytes <= burst) return milliseconds(0);
  const double share = static_cast<double>(bytes - burst) / static_cast<double>(bytes_ - burst);
  return milliseconds(static_cast<std::int64_t>(std::ceil(std::min(1.0, share) * day_ms)));
}

}  // namespace tidegate::core::commits
