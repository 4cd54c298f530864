// Targets of routing: the queues and topics that a message goes to, and exchanges on the way there.
#pragma once

#include <vector>

namespace tidegate::core::queues {
class queue;
}
namespace tidegate::core::topics {
class topic;
}

namespace tidegate::core::routing {

struct exchange_table;

// A queue, a topic or another exchange: one of the pointers is set. Routing never dereferences the first two.
struct target {
  queues::queue* queue = nullptr;
  topics::topic* topic = nullptr;
  exchange_table* exchange = nullptr;
  friend bool operator==(const target&, const target&) = default;
};

// The targets of one message. Each target appears once, even if several bindings match.
struct route {
  std::vector<queues::queue*> queues;
  std::vector<topics::topic*> topics;
  bool is_internal = false;  // the exchange takes messages from other exchanges only
  bool empty() const { return queues.empty() && topics.empty(); }
  std::size_t size() const { return queues.size() + topics.size(); }
  void clear() {
    queues.clear();
    topics.clear();
  }
};

}  // namespace tidegate::core::routing
