// The status of the broker as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker/base/clock.hpp"

namespace tidegate::core::api {

struct store_status {
  std::string incarnation;
  bool is_full = false;
  milliseconds age{0};  // lifetime of the store
  std::uint64_t bytes_used = 0, bytes_max = 0, journal_bytes = 0;
  std::uint64_t memory_bytes_used = 0, memory_bytes_max = 0, memory_dropped = 0;
  int stuck_reader = 0;  // pid of the process that keeps freed pages from being used; 0 = none
};

// Counted since the process started.
struct message_status {
  std::uint64_t published = 0, duplicates = 0, unroutable = 0, refused_full = 0, refused_overflow = 0, delivered = 0,
                acknowledged = 0;
  std::uint64_t dead_lettered = 0;      // messages that moved to a dead-letter target
  std::uint64_t clock_corrections = 0;  // times that a partition's timestamps went back
  std::uint64_t replies = 0;            // handed to the sessions that wait for them
  std::uint64_t replies_dropped = 0;    // because their session had ended
};

struct commit_status {
  std::string profile;
  milliseconds linger{0}, linger_in_force{0}, linger_max{0};
  std::uint32_t per_second_max = 0;
  std::uint64_t commits = 0, bytes_written = 0;  // since the process started
  double per_second = 0, wait_mean_ms = 0;
  milliseconds wait_max{0};
};

// Bytes written to flash; none = the kernel does not report them.
struct flash_status {
  std::optional<std::uint64_t> since_start, today, since_made, per_day;
  std::string budget;  // "off", "kept", "stretching", "exceeded", "unknown"
  std::uint64_t budget_bytes_per_day = 0;
};

struct status {
  store_status store;
  message_status messages;
  commit_status commits;
  flash_status flash;
  bool is_time_trusted = false;
};

}  // namespace tidegate::core::api
