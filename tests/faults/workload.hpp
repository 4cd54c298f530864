// Workloads: sequences of broker calls during which faults are made. A workload makes the same calls for the same seed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/faults/draw.hpp"
#include "tests/faults/marking_broker.hpp"

namespace tidegate::faults {

// Number of publishers of every workload.
constexpr std::uint32_t publishers_count = 4;

class workload {
 public:
  workload(marking_broker& broker, std::uint64_t seed) : broker_(broker), draw_(seed) {}
  virtual ~workload() = default;
  // Declares the queues, topics and bindings that the rounds use, and starts consumers. Called once, before round().
  virtual void begin() = 0;
  // Does the work of one commit, or none.
  virtual void round() = 0;

 protected:
  // Returns a message of a random publisher and size.
  publishing message(std::string exchange, std::string routing_key, std::vector<std::string> targets);
  // Pulls messages of `queue`, then settles some of the delivered ones in any order. Sometimes replaces `consumer` by a
  // new one.
  void work_off(core::consumer_id& consumer, const std::string& queue, std::uint32_t prefetch, unsigned ack_percent);
  // Commits. Sometimes calls `meanwhile` while the writer is busy, so that more is gathered.
  void commit(const std::function<void()>& meanwhile);

  marking_broker& broker_;
  draw draw_;
  std::vector<marking_broker::delivered> out_;  // delivered, not settled
};

std::vector<std::string> workload_names();
// Makes the workload of this name. Throws std::invalid_argument if there is none.
std::unique_ptr<workload> make_workload(std::string_view name, marking_broker& broker, std::uint64_t seed);

}  // namespace tidegate::faults
