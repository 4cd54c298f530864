// The status of a running bridge: one value, collected at intervals and written to a file as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/forwarder.hpp"

namespace tidegate::bridge {

struct partition_status {
  std::uint32_t partition = 0;
  std::string state;
  offset_t position = 0;  // every record before it is confirmed, or counted as refused or lost
  std::uint64_t lag_records = 0;
  std::optional<double> lag_minutes;  // age of the oldest record not forwarded; none = not known
  progress counters;
};

struct route_status {
  std::string name;
  std::string topic;
  std::string sink;
  std::string destination;
  std::string state;
  std::string last_error;                // empty = none since the destination last answered
  std::optional<milliseconds> retry_in;  // none = no attempt to connect is waiting
  std::uint64_t sink_restarts = 0;
  std::vector<partition_status> partitions;
};

struct bridge_status {
  std::string name;
  std::string broker;
  std::string broker_state;
  std::string gateway;
  std::string incarnation;
  std::vector<route_status> routes;
};

// Returns the status as a JSON object. `updated` is the wall clock; it is the last member of the object, `updated_ms`.
std::string to_json(const bridge_status& status, milliseconds updated);

// Replaces the file in one step, so that a reader sees either the old text or the new one. Throws std::system_error.
void write_status_file(const std::string& path, const std::string& json);

// Formats the file's JSON as a table for people. Errors: the text is not what to_json writes.
result<std::string> status_table(std::string_view json);

}  // namespace tidegate::bridge
