// How many bytes a day may be written to flash, and so by when how many.
//
// An hour's worth may be written at once, whenever the day begins; the rest comes evenly over the day:
//
//   allowed(elapsed) = burst + (budget - burst) x elapsed / 24 h,     burst = budget / 24
//
// At the end of the day that is the budget. What a quiet night leaves over is there for the day's busy hours.
#pragma once

#include <cstdint>

#include "broker/core/commits/flash_account.hpp"

namespace tidegate::core::commits {

class flash_budget {
 public:
  // 0 = none: everything is allowed.
  explicit flash_budget(std::uint64_t bytes_per_day) : bytes_(bytes_per_day) {}

  bool is_set() const { return bytes_ > 0; }
  std::uint64_t bytes_per_day() const { return bytes_; }
  // In so much of a day.
  std::uint64_t allowed(milliseconds elapsed) const;
  // How far into a day so many are allowed; its whole length if they never are, since the next day begins anew.
  milliseconds affords(std::uint64_t bytes) const;

 private:
  std::uint64_t bytes_;
};

}  // namespace tidegate::core::commits
