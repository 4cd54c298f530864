// A document: definitions that are declared together, with one commit, or not at all. Its bindings may name what it
// declares.
#pragma once

#include <vector>

#include "broker/core/catalog/exchange_registry.hpp"
#include "broker/core/catalog/queue_registry.hpp"
#include "broker/core/catalog/topic_registry.hpp"

namespace tidegate::core::catalog {

struct document {
  std::vector<exchange_request> exchanges;
  std::vector<queue_request> queues;
  std::vector<topic_request> topics;
  std::vector<binding_definition> bindings;
};

// Checks every definition of a document as its declaration would be, after those before it; an existing one may leave
// attributes open. Returns how many definitions are not there yet. Error: what is wrong with all of them in one text,
// as far as it goes. Each begins with its place, as in `queues[2] 'work': `; the first one gives the code and the
// field.
result<std::size_t> check(const document& document, const exchange_registry& exchanges, const queue_registry& queues,
                          const topic_registry& topics);

}  // namespace tidegate::core::catalog
