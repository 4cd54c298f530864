// Counters of published and refused messages since the process started.
#pragma once

#include <cstdint>

namespace tidegate::core::transfer {

struct counters {
  std::uint64_t published = 0, duplicates = 0, unroutable = 0, refused_full = 0, refused_overflow = 0;
  std::uint64_t dead_lettered = 0;      // messages that moved to a dead-letter target
  std::uint64_t clock_corrections = 0;  // times that a partition's timestamps went back
};

}  // namespace tidegate::core::transfer
