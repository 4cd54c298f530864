// Exchanges and bindings: map a message's exchange and routing key to the queues and topics that the message goes to.
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

  // Returns null if there is no such exchange.
  const exchange_definition* find_definition(std::string_view name) const;
  void add(exchange_definition exchange);
  // Removes the exchange and its bindings.
  void remove(std::string_view name);
  // Returns true for the default exchange and for every name that starts with `amq.`.
  static bool is_built_in(std::string_view name);
  const std::map<std::string, exchange_definition, std::less<>>& definitions() const { return definitions_; }

  // Adds or removes a binding. Repeating a binding and removing a missing one both succeed, and return false. The
  // exchange must exist. `target`: the queue or topic that the binding names.
  bool bind(const binding_definition& binding, const target& target);
  bool unbind(const binding_definition& binding);
  const std::set<binding_definition>& bindings() const { return bindings_; }

  // Returns the route of a message. Null if there is no such exchange; the default exchange is not looked up here. The
  // route is valid until the next call that is not const: find() may empty the cache, too.
  const route* find(std::string_view exchange, std::string_view routing_key);

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class Value>
  using by_text = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

  // One exchange: its bindings, indexed as its type needs, and a cache of routes by routing key.
  struct table {
    exchange_type type = exchange_type::direct;
    std::map<binding_definition, target> bound;
    by_text<std::vector<target>> by_key;  // direct
    pattern_tree by_pattern;              // topic
    by_text<route> routes;
    std::size_t cached_targets = 0;  // number of cached routes and of targets in them, together
  };
  static route match(const table& table, std::string_view routing_key);
  void forget_routes(table& table);

  std::map<std::string, exchange_definition, std::less<>> definitions_;
  by_text<table> tables_;
  std::set<binding_definition> bindings_;
  std::size_t cached_targets_ = 0;  // of all tables
};

}  // namespace tidegate::core::routing
