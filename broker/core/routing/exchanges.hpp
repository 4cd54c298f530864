// Exchanges and bindings: find the queues and topics for a message's exchange and routing key.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/routing/pattern.hpp"
#include "broker/core/routing/target.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::core::routing {

class exchanges {
 public:
  // Makes the built-in amq.direct, amq.fanout and amq.topic.
  exchanges();

  const exchange_definition* find_definition(std::string_view name) const;
  void add(exchange_definition exchange);
  // Removes the exchange with its bindings.
  void remove(std::string_view name);
  static bool is_built_in(std::string_view name);
  const std::map<std::string, exchange_definition, std::less<>>& definitions() const { return definitions_; }

  // Repeating a binding and removing a missing one succeed and return false. The exchange exists. `target`: the
  // binding's target.
  bool bind(const binding_definition& binding, const target& target);
  bool unbind(const binding_definition& binding);
  const std::set<binding_definition>& bindings() const { return bindings_; }

  // Returns the route of a message, valid until the next change here; null if there is no such exchange. Not for the
  // default exchange.
  const route* find(std::string_view exchange, std::string_view routing_key);

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class Value>
  using by_text = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

  // One exchange's bindings, ordered for its type, and cached routes.
  struct table {
    exchange_type type = exchange_type::direct;
    std::map<binding_definition, target> bound;
    by_text<std::vector<target>> by_key;  // direct
    pattern_tree by_pattern;              // topic
    by_text<route> routes;
    std::size_t cached_targets = 0;  // routes and targets in the cache
  };
  static route match(const table& table, std::string_view routing_key);
  void forget_routes(table& table);

  std::map<std::string, exchange_definition, std::less<>> definitions_;
  by_text<table> tables_;
  std::set<binding_definition> bindings_;
  std::size_t cached_targets_ = 0;  // of all tables
};

}  // namespace tidegate::core::routing
