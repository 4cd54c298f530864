// Everything that an opened store holds, read through core to the last message. check() in invariants.hpp compares it
// with the history of the workload.
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
  std::uint64_t ready = 0;             // by the queue's counter
  std::vector<held_message> messages;  // in the order of delivery
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
  std::vector<std::string> unreadable;               // queues and partitions that refused to be read, with the error
};

// Returns the producer name of a workload's publisher.
std::string producer_name(std::uint32_t publisher);
// Returns the name of a binding in marks and in holdings::definitions.
std::string binding_name(const binding_definition& binding);

// Reads all holdings. Has every message of the queues delivered and acknowledges none. `publishers`: the publishers
// whose producer sequences are read.
holdings read_holdings(const opened_store& opened, const std::vector<std::uint32_t>& publishers);

}  // namespace tidegate::faults
