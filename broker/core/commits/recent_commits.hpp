// Statistics of the commits of the last ten seconds: their rate, and how long callers were delayed by the pace.
#pragma once

#include <array>
#include <optional>

#include "broker/base/clock.hpp"

namespace tidegate::core::commits {

class recent_commits {
 public:
  // Adds a commit. `waited`: delay of the first caller in the group that gets an answer; none if no caller does.
  void add(milliseconds now, std::optional<milliseconds> waited);

  struct figures {
    double per_second = 0;
    double wait_mean_ms = 0;
    milliseconds wait_max{0};
  };
  figures at(milliseconds now) const;

 private:
  // Ten full seconds and the present one.
  static constexpr std::int64_t seconds_kept = 11;
  struct second {
    std::int64_t number = -1;  // of the monotonic clock
    std::uint64_t commits = 0;
    std::uint64_t awaited = 0;
    milliseconds waited{0};
    milliseconds waited_longest{0};
  };
  std::array<second, seconds_kept> seconds_;
};

}  // namespace tidegate::core::commits
