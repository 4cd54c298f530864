// What an opened store holds, read to the last message through core.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/faults/body.hpp"
#include "tests/faults/marking_broker.hpp"

namespace tidegate::faults {

struct held_message {
  offset_t offset = 0;
  body_state state = body_state::right;
  label who;
  bool redelivered = false;
  std::uint32_t deliveries = 0;
};

struct held_queue {
  std::uint64_t ready = 0;             // by its counter
  std::vector<held_message> messages;  // as they were delivered
};

struct held_partition {
  offset_t log_start = 0;
  offset_t end = 0;
  std::uint64_t bytes = 0;
  std::vector<held_message> records;
};

struct holdings {
  bool stopped_cleanly = false;
  std::set<std::string> definitions;  // KIND/NAME
  std::map<std::string, held_queue> queues;
  std::map<std::string, std::vector<held_partition>> topics;
  std::map<std::string, offset_t> committed;         // by "GROUP TOPIC PARTITION"
  std::map<std::uint32_t, std::uint64_t> producers;  // by publisher: the sequence on disk
  std::vector<std::string> unreadable;               // what was refused while it was read
};

// How a workload's publisher calls itself as a producer.
std::string producer_name(std::uint32_t publisher);
// How a binding stands in marks and in definitions.
std::string binding_name(const binding_definition& binding);

// Takes everything out of the queues, without an acknowledgement. `publishers`: whose sequences are asked for.
holdings read_holdings(const opened_store& opened, const std::vector<std::uint32_t>& publishers);

}  // namespace tidegate::faults
