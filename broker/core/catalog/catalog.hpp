// The catalog: every named definition (exchanges, queues, topics) and the bindings. Declares, binds and deletes them,
// and loads them from the store at start. A change is in effect at once, and on flash with the commit that its receipt
// waits for.
#pragma once

#include <string_view>

#include "broker/core/catalog/document.hpp"
#include "broker/core/catalog/exchange_registry.hpp"
#include "broker/core/catalog/protection.hpp"
#include "broker/core/catalog/queue_registry.hpp"
#include "broker/core/catalog/topic_registry.hpp"

namespace tidegate::core::catalog {

class catalog {
 public:
  // Loads the definitions that the store found. Throws store_damaged if they do not decode or do not fit together, and
  // storage_failure if one of them holds something that this version does not know. `retention_bytes`: default
  // retention of a partition whose topic sets none.
  catalog(store::store& store, commits::pipeline& commits, groups::offsets& offsets, std::uint64_t retention_bytes);

  // Creates the object and settles the receipt with the commit. Declaring an existing object settles too; different
  // attributes are a precondition error that names the first one.
  result<void> declare_exchange(const exchange_request& exchange, const receipt& answer,
                                sameness sameness = sameness::lenient);
  result<queues::queue*> declare_queue(const queue_request& queue, const receipt& answer,
                                       sameness sameness = sameness::lenient);
  result<void> declare_topic(const topic_request& topic, const receipt& answer);
  // Declares all of a document leniently, with one commit, or nothing. Returns how many of its definitions are new.
  // Errors as of check().
  result<std::size_t> declare_all(const document& document, const receipt& answer);
  result<std::size_t> check_all(const document& document) const {
    return check(document, exchanges_, queues_, topics_);
  }
  // Creates the queue or topic, or changes an existing one to what the configuration says: durability, bounds and
  // retention change, and partitions are added, without an error. Errors: partitions would have to be removed; records
  // would have to move into memory or out of it; as in declaring.
  result<void> adopt_queue(const queue_request& queue);
  result<void> adopt_topic(const topic_request& topic);
  // Adds or removes a binding. Repeating a binding and removing a missing one settle too. unbind() has no errors.
  // Errors of bind(): no such exchange or target; the default exchange; the routing key; too many bindings; the store
  // is full.
  result<void> bind(const binding_definition& binding, const receipt& answer);
  result<void> unbind(const binding_definition& binding, const receipt& answer);
  // Deletes the object and its bindings; deleting a missing object settles too. Errors: the exchange is built in, or
  // `only_unused` and it has bindings.
  result<void> remove_exchange(std::string_view name, const receipt& answer, bool only_unused = false);
  // Deletes the topic with its bindings and committed offsets. Returns the streams of its partitions, so that the
  // caller can wake the sessions that watch them.
  result<std::vector<stream_id>> remove_topic(std::string_view name, const receipt& answer);

  // Deletes the queue and its bindings, and asks for a commit. It has no consumers and no unsettled deliveries.
  void remove_queue(queues::queue& queue);
  // Settles the receipt with the commit that is gathering, without delay.
  void settle(const receipt& answer) { rows_.settle(answer).value(); }

  // See queue_registry.
  void open_level(queues::queue& queue, std::uint8_t level) { queues_.open_level(queue, level); }
  queues::queue* open_delayed(bool in_memory) { return queues_.open_delayed(in_memory); }

  queue_registry& queues() { return queues_; }
  const queue_registry& queues() const { return queues_; }
  topic_registry& topics() { return topics_; }
  const topic_registry& topics() const { return topics_; }
  // Returns the route of a message; it is valid until the next call. Null if there is no such exchange.
  const routing::route* find_route(const message_view& message);
  // The same for a message that a client publishes. Errors: there is no such exchange; it is internal.
  result<const routing::route*> find_open_route(const message_view& message);
  const routing::exchanges& routes() const { return exchanges_.routes(); }
  const core::catalog::protection& protection() const { return protection_; }

 private:
  void load(const store::books& books, const store::contents& found);
  routing::target target_of(const binding_definition& binding);

  commits::pipeline& commits_;
  groups::offsets& offsets_;
  definition_rows rows_;
  exchange_registry exchanges_;
  queue_registry queues_;
  topic_registry topics_;
  core::catalog::protection protection_;
  routing::route default_route_;  // last route found for the default exchange
};

}  // namespace tidegate::core::catalog
