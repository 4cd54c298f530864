// Everything that has a name: declares, binds and deletes it, and finds it again at the start. A definition is in
// effect at once, and on flash with the commit that its receipt waits for.
#pragma once

#include <string_view>

#include "broker/core/catalog/exchange_registry.hpp"
#include "broker/core/catalog/protection.hpp"
#include "broker/core/catalog/queue_registry.hpp"
#include "broker/core/catalog/topic_registry.hpp"

namespace tidegate::core::catalog {

class catalog {
 public:
  // Loads what the store found. Throws store_damaged. `retention_bytes`: of a partition whose topic names none.
  catalog(store::store& store, commits::pipeline& commits, groups::offsets& offsets, std::uint64_t retention_bytes);

  // Declaring what exists with the same attributes settles, too. Other attributes are a PRECONDITION error that names
  // the first.
  result<void> declare_exchange(std::string_view name, exchange_type type, const receipt& answer);
  result<void> declare_queue(const queue_request& queue, const receipt& answer);
  result<void> declare_topic(const topic_request& topic, const receipt& answer);
  // Apply the configuration: durability and retention change, and partitions are added, without an error. But nothing
  // moves into memory or out of it.
  result<void> adopt_queue(const queue_request& queue);
  result<void> adopt_topic(const topic_request& topic);
  // Repeating a binding and removing a missing one settle, too. Errors: no such exchange or target; the key; a bound.
  result<void> bind(const binding_definition& binding, const receipt& answer);
  result<void> unbind(const binding_definition& binding, const receipt& answer);
  // Delete with all bindings. Deleting what does not exist settles, too. Errors: a built-in exchange, a queue with
  // consumers.
  result<void> remove_exchange(std::string_view name, const receipt& answer);
  result<void> remove_queue(std::string_view name, const receipt& answer);
  // Returns the streams of the topic's partitions, whose watchers have to be notified.
  result<std::vector<stream_id>> remove_topic(std::string_view name, const receipt& answer);

  queue_registry& queues() { return queues_; }
  const queue_registry& queues() const { return queues_; }
  topic_registry& topics() { return topics_; }
  const topic_registry& topics() const { return topics_; }
  // Returns the route of a message, valid until the next call; null if there is no such exchange.
  const routing::route* find_route(std::string_view exchange, std::string_view routing_key);
  const routing::exchanges& routes() const { return exchanges_.routes(); }
  const core::catalog::protection& protection() const { return protection_; }

 private:
  void load(const store::books& books, const store::contents& found);
  routing::target target_of(const binding_definition& binding) const;

  commits::pipeline& commits_;
  groups::offsets& offsets_;
  definition_rows rows_;
  exchange_registry exchanges_;
  queue_registry queues_;
  topic_registry topics_;
  core::catalog::protection protection_;
  routing::route default_route_;  // the last route that was asked of the default exchange
};

}  // namespace tidegate::core::catalog
