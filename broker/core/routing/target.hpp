// The targets of a route.
#pragma once

#include <vector>

namespace tidegate::core::queues {
class queue;
}
namespace tidegate::core::topics {
class topic;
}

namespace tidegate::core::routing {

// A queue or a topic. Routing does not look into either.
struct target {
  queues::queue* queue = nullptr;
  topics::topic* topic = nullptr;
  friend bool operator==(const target&, const target&) = default;
};

// The targets of a message: each once, however many bindings match.
struct route {
  std::vector<queues::queue*> queues;
  std::vector<topics::topic*> topics;
  bool empty() const { return queues.empty() && topics.empty(); }
  std::size_t size() const { return queues.size() + topics.size(); }
};

}  // namespace tidegate::core::routing
