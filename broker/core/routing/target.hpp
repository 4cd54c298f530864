// Where messages are routed to.
#pragma once

#include <vector>

namespace tidegate::core {
class queue;
class topic;
}  // namespace tidegate::core

namespace tidegate::core::routing {

// A queue or a topic; routing looks into neither.
struct target {
  core::queue* queue = nullptr;
  core::topic* topic = nullptr;
  friend bool operator==(const target&, const target&) = default;
};

// Each target once, however many bindings match.
struct route {
  std::vector<core::queue*> queues;
  std::vector<core::topic*> topics;
  bool empty() const { return queues.empty() && topics.empty(); }
  std::size_t size() const { return queues.size() + topics.size(); }
};

}  // namespace tidegate::core::routing
