// What the store is put through while faults are made. Each is the same for the same seed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/faults/draw.hpp"
#include "tests/faults/marking_broker.hpp"

namespace tidegate::faults {

// Of every workload.
constexpr std::uint32_t publishers_count = 4;

class workload {
 public:
  workload(marking_broker& broker, std::uint64_t seed) : broker_(broker), draw_(seed) {}
  virtual ~workload() = default;
  virtual void begin() = 0;
  // A commit's worth of work, or none.
  virtual void round() = 0;

 protected:
  publishing message(std::string exchange, std::string routing_key, std::vector<std::string> targets);
  // Pulls, and settles what it has in any order.
  void work_off(core::consumer_id& consumer, const std::string& queue, std::uint32_t prefetch, unsigned ack_percent);
  // With more gathered while the writer is at it, now and then.
  void commit(const std::function<void()>& meanwhile);

  marking_broker& broker_;
  draw draw_;
  std::vector<marking_broker::delivered> out_;  // delivered, not settled
};

std::vector<std::string> workload_names();
// Throws std::invalid_argument on another name.
std::unique_ptr<workload> make_workload(std::string_view name, marking_broker& broker, std::uint64_t seed);

}  // namespace tidegate::faults
