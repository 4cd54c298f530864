// Defining: declares and deletes exchanges, queues, topics and bindings. Each request is settled with the commit that
// holds its change.
#pragma once

#include "broker/core/api/consuming.hpp"
#include "broker/core/api/reading.hpp"
#include "broker/core/catalog/catalog.hpp"

namespace tidegate::core::api {

using catalog::document;
using catalog::exchange_request;
using catalog::queue_request;
using catalog::sameness;
using catalog::topic_request;

// What has to be true for a queue to be deleted.
struct removal_conditions {
  bool unused = false;  // it has no consumers
  bool empty = false;   // no message is ready
};

class defining {
 public:
  defining(catalog::catalog& catalog, api::consuming& consuming, api::reading& reading)
      : catalog_(catalog), consuming_(consuming), reading_(reading) {}

  // Creates the object and settles the receipt with the commit. Declaring an existing object settles too; different
  // attributes are a precondition error that names the first one.
  result<void> declare_exchange(const exchange_request& exchange, const receipt& answer,
                                sameness sameness = sameness::lenient) {
    return catalog_.declare_exchange(exchange, answer, sameness);
  }
  // Checks that the session may use the queue. Error: the queue belongs to another one.
  static result<void> check_owner(const queues::queue& queue, session_id session) {
    return catalog::queue_registry::check_owner(queue, session);
  }
  // Returns the queue, which may have got its name from the broker.
  result<const queues::queue*> declare_queue(const queue_request& queue, const receipt& answer,
                                             sameness sameness = sameness::lenient) {
    const auto declared = catalog_.declare_queue(queue, answer, sameness);
    if (!declared) return declared.error();
    return *declared;
  }
  result<void> declare_topic(const topic_request& topic, const receipt& answer) {
    return catalog_.declare_topic(topic, answer);
  }
  // Declares all of a document leniently, with one commit, or nothing. Returns how many of its definitions are new.
  // Error: what is wrong with them, each with its place.
  result<std::size_t> declare_all(const document& document, const receipt& answer) {
    return catalog_.declare_all(document, answer);
  }
  result<std::size_t> check_all(const document& document) const { return catalog_.check_all(document); }
  // Creates the queue or topic, or changes an existing one to what the configuration says: durability, bounds and
  // retention change, and partitions are added, without an error. Errors: partitions would have to be removed; records
  // would have to move into memory or out of it; as in declaring.
  result<void> adopt_queue(const queue_request& queue) { return catalog_.adopt_queue(queue); }
  result<void> adopt_topic(const topic_request& topic) { return catalog_.adopt_topic(topic); }
  // Adds or removes a binding; see catalog::bind() for errors. Repeating a binding and removing a missing one settle
  // too.
  result<void> bind(const binding_definition& binding, const receipt& answer) { return catalog_.bind(binding, answer); }
  result<void> unbind(const binding_definition& binding, const receipt& answer) {
    return catalog_.unbind(binding, answer);
  }
  // Deletes the object and its bindings; deleting a missing object settles too. A queue's consumers end, and are told.
  // Errors: the exchange is built in; the queue belongs to another session; a condition that is not met.
  result<void> remove_exchange(std::string_view name, const receipt& answer, bool only_unused = false) {
    return catalog_.remove_exchange(name, answer, only_unused);
  }
  // Returns how many messages were ready.
  result<std::uint64_t> remove_queue(std::string_view name, const receipt& answer,
                                     const removal_conditions& conditions = {});
  result<void> remove_topic(std::string_view name, const receipt& answer);

 private:
  catalog::catalog& catalog_;
  api::consuming& consuming_;
  api::reading& reading_;
};

}  // namespace tidegate::core::api
