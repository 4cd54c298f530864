// Targets of routing: the queues and topics that a message goes to.
#pragma once

#include <vector>

namespace tidegate::core::queues {
class queue;
}
namespace tidegate::core::topics {
class topic;
}

namespace tidegate::core::routing {

// A queue or a topic: one of the two pointers is set. Routing never dereferences them.
struct target {
  queues::queue* queue = nullptr;
  topics::topic* topic = nullptr;
  friend bool operator==(const target&, const target&) = default;
};

// The targets of one message. Each target appears once, even if several bindings match.
struct route {
  std::vector<queues::queue*> queues;
  std::vector<topics::topic*> topics;
  bool empty() const { return queues.empty() && topics.empty(); }
  std::size_t size() const { return queues.size() + topics.size(); }
};

}  // namespace tidegate::core::routing
