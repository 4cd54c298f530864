// Everything that has a name: declared, bound, deleted, and found again at the start. A definition is in effect at once
// and on flash with the commit that its receipt waits for.
#pragma once

#include <string_view>

#include "broker/core/catalog/exchange_registry.hpp"
#include "broker/core/catalog/protection.hpp"
#include "broker/core/catalog/queue_registry.hpp"
#include "broker/core/catalog/topic_registry.hpp"

namespace tidegate::core::catalog {

class catalog {
 public:
  // Loads what the store found. Throws store_damaged. `retention_bytes`: of a partition that names none.
  catalog(store::store& store, commits::pipeline& commits, groups::offsets& offsets, std::uint64_t retention_bytes);

  // Declaring again what exists settles too; with other attributes it is a precondition error that names the first.
  result<void> declare_exchange(std::string_view name, exchange_type type, const receipt& answer);
  result<void> declare_queue(const queue_request& queue, const receipt& answer);
  result<void> declare_topic(const topic_request& topic, const receipt& answer);
  // The configuration's word is the last: durability and retention change and partitions are added without an error.
  // But nothing moves into memory or out of it.
  result<void> adopt_queue(const queue_request& queue);
  result<void> adopt_topic(const topic_request& topic);
  // Repeating a binding and removing a missing one settle too. Errors: no such exchange or target; the key; a bound.
  result<void> bind(const binding_definition& binding, const receipt& answer);
  result<void> unbind(const binding_definition& binding, const receipt& answer);
  // Delete it with its bindings; where there is none, they settle too. Errors: a built-in exchange, a consumed queue.
  result<void> remove_exchange(std::string_view name, const receipt& answer);
  result<void> remove_queue(std::string_view name, const receipt& answer);
  // Returns the streams of its partitions, for who waits for them.
  result<std::vector<stream_id>> remove_topic(std::string_view name, const receipt& answer);

  queue_registry& queues() { return queues_; }
  const queue_registry& queues() const { return queues_; }
  topic_registry& topics() { return topics_; }
  const topic_registry& topics() const { return topics_; }
  // The route of a message, until the next call. Null: there is no such exchange.
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
  routing::route default_route_;  // of the default exchange, as it was asked for last
};

}  // namespace tidegate::core::catalog
