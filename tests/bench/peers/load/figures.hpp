/* The settings of a load, and the totals that it has measured. */
#pragma once

#include <cstdint>
#include <vector>

namespace tidegate::peers {

struct settings {
  std::uint64_t seconds = 10, window = 1000, rate = 0, messages = UINT64_MAX;
  bool publishes = true, consumes = true, acknowledges = true;
};

struct totals {
  std::uint64_t sent = 0, confirmed = 0, delivered = 0;
  std::vector<double> confirm_ms, deliver_ms;
  double seconds = 0;         // of sending, or of delivering if nothing is sent
  std::uint64_t in_time = 0;  // delivered in these seconds, or confirmed if nobody consumes
};

}  // namespace tidegate::peers
