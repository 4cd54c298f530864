// Publishes messages to exchanges.
#pragma once

#include <functional>

#include "client/connection_part.hpp"

namespace tidegate::client {

class publishing : connection_part {
 public:
  using connection_part::connection_part;

  // Sends as soon as the window has room and returns the publish's id. How it ended is reported to on_confirmation().
  awaitable<std::uint64_t> send(const message_view& message, publish_options options = {});
  // Publishes that are open when the connection ends are not reported: they may or may not be stored. The handler must
  // not be replaced from within itself; what it throws leaves the executor's run().
  void on_confirmation(std::function<void(const confirmation&)> handler);
  // Returns when every publish is settled.
  awaitable<> drain();
  // Publishes messages and settles deliveries of this connection with one commit, or does nothing of it. Returns how
  // many messages were stored: those that nothing takes are not. Errors: TOO_LARGE for more than one frame takes, LIMIT
  // for more than 10,000 messages and settlements, and those of publishing; NOT_FOUND for a delivery that is settled.
  awaitable<std::uint64_t> transact(const transaction& transaction);
  // Sends and waits for the confirmation. Do not mix with on_confirmation's handler on the same id.
  awaitable<confirmation> publish(const message_view& message, publish_options options = {});
};

}  // namespace tidegate::client
