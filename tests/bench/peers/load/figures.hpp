/* What a load is asked for, and what it has seen. */
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
  double seconds = 0;         // of sending; of delivering where nothing is sent
  std::uint64_t in_time = 0;  // delivered, or confirmed where nobody consumes, in these seconds
};

}  // namespace tidegate::peers
