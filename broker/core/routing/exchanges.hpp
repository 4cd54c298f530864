// Exchanges and bindings: map a message's exchange, routing key and headers to the queues and topics that the message
// goes to. Messages pass from exchange to exchange by bindings, and to an exchange's alternate if no binding of it
// matches. Each exchange is visited once for a message, so circles end.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/routing/header_match.hpp"
#include "broker/core/routing/pattern.hpp"
#include "broker/core/routing/target.hpp"
#include "broker/model/definitions.hpp"
#include "broker/model/message.hpp"

namespace tidegate::core::routing {

struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <class Value>
using by_text = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

// One exchange: its bindings, indexed as its type needs, and a cache of routes by routing key.
struct exchange_table {
  exchange_definition definition;
  std::map<binding_definition, target> bound;
  by_text<std::vector<target>> by_key;                                       // direct
  pattern_tree by_pattern;                                                   // topic
  std::map<binding_definition, std::pair<header_match, target>> by_headers;  // headers
  by_text<route> routes;
  std::size_t exchange_targets = 0;  // bindings whose target is an exchange
  std::size_t cached_targets = 0;    // number of cached routes and of targets in them, together
};

class exchanges {
 public:
  // Returns the queue to which the default exchange routes this key; null if there is none.
  using default_exchange = std::function<queues::queue*(std::string_view routing_key)>;

  // Makes the built-in amq.direct, amq.fanout, amq.topic, amq.headers and amq.match. `queue_of`: where an alternate
  // that is the default exchange routes to.
  explicit exchanges(default_exchange queue_of);

  // Returns null if there is no such exchange.
  const exchange_definition* find_definition(std::string_view name) const;
  exchange_table* find_table(std::string_view name);
  void add(exchange_definition exchange);
  // Removes the exchange and its bindings. No binding may have it as its target.
  void remove(std::string_view name);
  // Returns true for the default exchange and for every name that starts with `amq.`.
  static bool is_built_in(std::string_view name);
  const std::map<std::string, exchange_table, std::less<>>& all() const { return tables_; }

  // Adds or removes a binding. Repeating a binding and removing a missing one both succeed, and return false. The
  // exchange must exist, and arguments for a headers exchange must parse. `target`: what the binding names.
  bool bind(const binding_definition& binding, const target& target);
  bool unbind(const binding_definition& binding);
  const std::set<binding_definition>& bindings() const { return bindings_; }

  // Returns the route of a message. Null if there is no such exchange; the default exchange is not looked up here. The
  // route is valid until the next call that is not const: find() may empty the cache, too.
  const route* find(const message_view& message);

 private:
  class walk;
  static std::string_view cache_key(const exchange_table& table, std::string_view routing_key);
  void forget_routes(exchange_table& table);
  void forget_all_routes();
  void forget_routes_through(std::string_view name);
  void link(std::string_view from, const std::string& to);
  void unlink(std::string_view from, std::string_view to);

  default_exchange queue_of_;
  std::map<std::string, exchange_table, std::less<>> tables_;
  boost::unordered_flat_map<std::string_view, exchange_table*> index_;  // by name, faster: used for every publish
  std::set<binding_definition> bindings_;
  // For each exchange the exchanges that pass messages to it, by a binding or as its alternate; an alternate need not
  // exist. A change of an exchange empties the caches of all from which messages reach it.
  std::map<std::string, std::multiset<std::string, std::less<>>, std::less<>> sources_;
  std::size_t cached_targets_ = 0;  // of all tables
  route uncached_;                  // the last route that depended on more than exchange and key
};

}  // namespace tidegate::core::routing
