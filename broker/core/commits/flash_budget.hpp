// The flash budget: how many bytes may be written to flash in a day, and how many of them by a given time of the day.
//
// An hour's share may be written at once when the day starts; the rest becomes available evenly over the day:
//
//   allowed(elapsed) = burst + (budget - burst) x elapsed / 24 h,     burst = budget / 24
//
// At the end of the day, that is the whole budget. Bytes that a quiet night does not use remain for the day's busy
// hours.
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
  // Returns the bytes that may have been written when `elapsed` of the day has passed.
  std::uint64_t allowed(milliseconds elapsed) const;
  // Returns the time of the day from which on so many bytes are allowed. Returns a whole day if the budget never allows
  // them, since the count starts again on the next day.
  milliseconds affords(std::uint64_t bytes) const;

 private:
  std::uint64_t bytes_;
};

}  // namespace tidegate::core::commits
