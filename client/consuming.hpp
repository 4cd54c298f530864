// Consumes messages from queues.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "client/connection_part.hpp"

namespace tidegate::client {

class consuming : connection_part {
 public:
  using connection_part::connection_part;

  // Returns the consumer's id. `prefetch`: unsettled deliveries at most; 0 = as many as the broker allows.
  awaitable<std::uint32_t> consume(std::string_view queue, std::uint32_t prefetch, bool auto_ack = false);
  awaitable<std::uint32_t> consume(std::string_view queue, consume_options options);
  awaitable<> cancel(std::uint32_t consumer);
  // Returns the queue's next message, without a consumer; none if no message is ready. Settled like a delivery.
  awaitable<std::optional<got_message>> get(std::string_view queue, bool auto_ack = false);
  // Returns the queue's first message, or the one after `place`, which a peek has returned; none if none is ready
  // there. Nothing of the message changes: it is not delivered, and cannot be settled.
  awaitable<std::optional<peeked_message>> peek(std::string_view queue, std::string_view place = {});
  // Discards the messages that are ready in the queue; returns how many these were.
  awaitable<std::uint64_t> purge(std::string_view queue);
  // Returns the next delivery of any consumer of this connection. Deliveries that arrived before the connection ended
  // come first. Throws error_exception, with the connection open, for an error that belongs to no request: a settlement
  // that was refused, a consumer whose queue was deleted.
  awaitable<delivery> receive();
  // The same; returns none if no delivery comes in time.
  awaitable<std::optional<delivery>> receive_for(std::chrono::milliseconds wait);
  // Settles a delivery, or with `multiple` every one up to it. Sent without waiting; the broker answers errors only.
  awaitable<> settle(std::uint64_t tag, outcome outcome, bool multiple = false);
};

}  // namespace tidegate::client
