// Counts of accepted and refused messages since the start.
#pragma once

#include <cstdint>

namespace tidegate::core::transfer {

struct counters {
  std::uint64_t published = 0, duplicates = 0, unroutable = 0, refused_full = 0, refused_overflow = 0;
  std::uint64_t clock_corrections = 0;  // partitions whose stamps went back
};

}  // namespace tidegate::core::transfer
