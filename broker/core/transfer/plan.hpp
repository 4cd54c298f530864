// The plan of one message, made before any change: its targets, its course, and how long its commit may wait. All
// checks are made while planning, so carrying out a plan cannot fail.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "broker/core/commits/pipeline.hpp"
#include "broker/core/queues/queue.hpp"
#include "broker/core/topics/topic.hpp"

namespace tidegate::core::transfer {

// One target: a queue's lane, or a topic's partition. One of the two pointers is set.
struct placement {
  queues::queue* queue = nullptr;
  topics::partition* partition = nullptr;
  std::uint8_t level = 0;  // of the queue's lane
};

// What the message's properties say that concerns its way through queues.
struct traits {
  std::optional<milliseconds> time_to_live = {};
  std::uint8_t priority = 0;
};

struct plan {
  std::vector<placement> placements;
  commits::course course = commits::course::written;
  milliseconds wait_max{0};                   // longest time that the commit may wait
  std::uint64_t record_bytes_max = 0;         // upper bound of the message's record in any target
  std::uint64_t memory_placements = 0;        // number of targets in memory
  transfer::traits traits;                    // of the message
  const queues::queue* refusing = nullptr;    // the queue that was full, if the plan was refused for that
  const queues::queue* moved_from = nullptr;  // the message leaves this queue with the same commit; null = it is new

  // Empties the plan and keeps its memory for the next message.
  void clear() {
    placements.clear();
    memory_placements = 0;
    traits = {};
    refusing = moved_from = nullptr;
  }
};

// What a transaction's messages, planned so far, will take from the room of their targets.
struct tally {
  struct taken {
    std::uint64_t records = 0, bytes = 0;
  };
  std::map<const queues::queue*, queues::amount> queues;
  std::map<const topics::partition*, taken> partitions;
  std::uint64_t bytes = 0;  // of all records in all targets
};

// Reads a message's traits. Errors: its properties do not decode; its expiration is no time.
result<traits> traits_of(const message_view& message);

}  // namespace tidegate::core::transfer
