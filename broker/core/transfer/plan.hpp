// What a publish will do, decided before anything is done: its targets, its course, and how long it may wait. A planned
// publish can be put, and putting cannot fail.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/core/commits/pipeline.hpp"
#include "broker/core/queues/queue.hpp"
#include "broker/core/topics/topic.hpp"

namespace tidegate::core::transfer {

// One target: a queue, or a topic's partition.
struct placement {
  queues::queue* queue = nullptr;
  topics::partition* partition = nullptr;
};

struct plan {
  std::vector<placement> placements;
  commits::course course = commits::course::written;
  milliseconds wait_max{0};             // for the commit
  std::uint64_t record_bytes_max = 0;   // largest record of the message in any target
  std::uint64_t memory_placements = 0;  // targets in memory

  // Keeps the memory for the next plan.
  void clear() {
    placements.clear();
    memory_placements = 0;
  }
};

}  // namespace tidegate::core::transfer
