// Exchanges and bindings: from a message's exchange and routing key to the queues and topics that take it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/model/definitions.hpp"

namespace tidegate::core {

class queue;
class topic;

// Each target once, however many bindings match.
struct route {
  std::vector<queue*> queues;
  std::vector<topic*> topics;
  bool empty() const { return queues.empty() && topics.empty(); }
};

// AMQP 0-9-1, "topic exchange": words are split at '.', `*` stands for exactly one word, `#` for zero or more. An empty
// key has zero words.
bool topic_matches(std::string_view pattern, std::string_view routing_key);

class routing {
 public:
  // Makes the built-in amq.direct, amq.fanout and amq.topic.
  routing();

  const exchange_definition* find_exchange(std::string_view name) const;
  void add_exchange(exchange_definition exchange);
  void remove_exchange(std::string_view name);
  static bool is_built_in(std::string_view name);
  const std::map<std::string, exchange_definition, std::less<>>& exchanges() const { return exchanges_; }

  // Repeating a binding and removing a missing one both succeed, and return false. Exactly one of queue and topic.
  bool bind(const binding_definition& binding, queue* queue, topic* topic);
  bool unbind(const binding_definition& binding);
  const std::set<binding_definition>& bindings() const { return bindings_; }

  // The exchange exists and is not the default one. The route lasts until the next change here.
  const route& find(std::string_view exchange, std::string_view routing_key);

 private:
  struct rule {
    std::string routing_key;
    queue* to_queue = nullptr;
    topic* to_topic = nullptr;
    friend bool operator==(const rule&, const rule&) = default;
  };
  route match(const exchange_definition& exchange, std::string_view routing_key) const;

  std::map<std::string, exchange_definition, std::less<>> exchanges_;
  std::set<binding_definition> bindings_;
  std::map<std::string, std::vector<std::pair<binding_definition, rule>>, std::less<>> rules_;  // by exchange
  void forget_routes();
  std::unordered_map<std::string, route> cache_;  // exchange, '\0', routing key where it matters
  std::size_t cached_targets_ = 0;                // and the routes
};

}  // namespace tidegate::core
