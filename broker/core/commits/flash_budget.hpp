// How many bytes may be written to flash in a day, and how many by which time of it.
//
// An hour's worth may be written at once, at any time. The rest is allowed evenly over the day:
//
//   allowed(elapsed) = burst + (budget - burst) x elapsed / 24 h,     burst = budget / 24
//
// At the end of the day that is the budget. What a quiet night leaves over may be used in the day's busy hours.
#pragma once

#include <cstdint>

#include "broker/core/commits/flash_account.hpp"

namespace tidegate::core::commits {

class flash_budget {
 public:
  // 0 = no budget: everything is allowed.
  explicit flash_budget(std::uint64_t bytes_per_day) : bytes_(bytes_per_day) {}

  bool is_set() const { return bytes_ > 0; }
  std::uint64_t bytes_per_day() const { return bytes_; }
  // Returns the bytes that are allowed in this part of a day.
  std::uint64_t allowed(milliseconds elapsed) const;
  // Returns when in a day so many bytes are allowed; the day's length if never, since a new day starts then.
  milliseconds affords(std::uint64_t bytes) const;

 private:
  std::uint64_t bytes_;
};

}  // namespace tidegate::core::commits
