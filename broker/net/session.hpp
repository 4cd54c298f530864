// One connection's protocol as a state machine: bytes in, bytes out, no I/O. A front-end implements it; a connection
// (connection.hpp) reads and writes for it. Everything is called on the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "broker/base/clock.hpp"
#include "broker/net/outbox.hpp"

namespace tidegate::net {

class session {
 public:
  virtual ~session() = default;

  // Takes what it can off the front of what arrived, and returns how many bytes that was. The rest comes again, with
  // more behind it.
  virtual std::size_t input(std::string_view data) = 0;
  // Takes no input now. The connection stops reading; it asks again after each wake and each send.
  virtual bool is_paused() const = 0;
  // Is to end once its outbox is sent.
  virtual bool is_closing() const = 0;
  virtual void close() = 0;

  // Puts what is due into the outbox. Called after input, after each wake, and at the deadline.
  virtual void fill() = 0;
  virtual net::outbox& outbox() = 0;
  // When fill() is to be called even if nothing happens, on the monotonic clock; milliseconds::max() = never.
  virtual milliseconds deadline() const = 0;
  // Names who speaks here, for logs.
  virtual std::string description() const = 0;
};

// Makes the session of a connection to `peer` ("address:port"). `wake` tells the connection that fill() may have
// something; it may be called at any time on the loop's thread while the session lives.
using session_maker = std::function<std::unique_ptr<session>(std::string peer, std::function<void()> wake)>;

}  // namespace tidegate::net
