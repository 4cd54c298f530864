// Declares, binds, deletes and lists exchanges, queues and topics.
#pragma once

#include <string_view>

#include "client/connection_part.hpp"

namespace tidegate::client {

class defining : connection_part {
 public:
  using connection_part::connection_part;

  // `passive`: checks that it exists, and makes nothing. Declaring what exists with the same properties does nothing.
  awaitable<> declare_exchange(std::string_view name, std::string_view type, bool passive = false);
  awaitable<> declare_exchange(const exchange_definition& exchange, bool passive = false);
  awaitable<declared_queue> declare_queue(std::string_view name, bool passive = false);
  awaitable<declared_queue> declare_queue(const queue_definition& queue, bool passive = false);
  awaitable<declared_topic> declare_topic(const topic_definition& topic, bool passive = false);
  // `target_kind`: "queue", "topic" or "exchange".
  awaitable<> bind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                   std::string_view routing_key);
  awaitable<> bind(const binding_definition& binding);
  awaitable<> unbind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                     std::string_view routing_key);
  awaitable<> unbind(const binding_definition& binding);
  // Declares and binds all of these with one commit, or nothing. Returns how many were not there before. `only_check`:
  // declares nothing. Errors: TOO_LARGE for more than one frame takes, LIMIT for more than 10,000, and those of the
  // declarations; the text has what is wrong with each, and where.
  awaitable<std::uint64_t> define(const definitions& definitions, bool only_check = false);
  // Returns how many messages of a queue were ready. Consumers of a queue end, and receive() throws.
  awaitable<std::uint64_t> erase(std::string_view kind, std::string_view name, erase_options options = {});
  // Returns one page of the rows of that kind (link.proto, List), as the broker has them when it answers. `after` is
  // the `next` of the page before; empty = from the start. A page takes about limits::listing_page_bytes. What exists
  // from the first page to the last is listed once. Error: INVALID for another kind, or an `after` that no page of it
  // gave.
  awaitable<listing_page> list(std::string_view kind, std::string_view after = {});
};

}  // namespace tidegate::client
