// The plan of one publish, made before any change: its targets, its course, and how long its commit may wait. All
// checks are made while planning, so carrying out a plan cannot fail.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/core/commits/pipeline.hpp"
#include "broker/core/queues/queue.hpp"
#include "broker/core/topics/topic.hpp"

namespace tidegate::core::transfer {

// One target: a queue, or a topic's partition. One of the two pointers is set.
struct placement {
  queues::queue* queue = nullptr;
  topics::partition* partition = nullptr;
};

struct plan {
  std::vector<placement> placements;
  commits::course course = commits::course::written;
  milliseconds wait_max{0};             // longest time that the commit may wait
  std::uint64_t record_bytes_max = 0;   // upper bound of the message's record in any target
  std::uint64_t memory_placements = 0;  // number of targets in memory

  // Empties the plan and keeps its memory for the next publish.
  void clear() {
    placements.clear();
    memory_placements = 0;
  }
};

}  // namespace tidegate::core::transfer
