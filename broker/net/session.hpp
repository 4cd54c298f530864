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

  // Takes what it can from the front of `data`, and returns how many bytes that was. The rest is passed again, followed
  // by what arrives later.
  virtual std::size_t input(std::string_view data) = 0;
  // Returns whether the session takes no input now. The connection then stops reading, and asks again after each wake
  // and each send.
  virtual bool is_paused() const = 0;
  // Returns whether the connection is to end once the outbox is sent.
  virtual bool is_closing() const = 0;
  virtual void close() = 0;

  // Puts due bytes into the outbox. Called after input, after each wake, and at the deadline.
  virtual void fill() = 0;
  virtual net::outbox& outbox() = 0;
  // Returns when fill() has to be called even if nothing happens, on the monotonic clock; milliseconds::max() = never.
  virtual milliseconds deadline() const = 0;
  // Names the peer, for logs.
  virtual std::string description() const = 0;
};

// Makes the session of a connection to `peer` ("address:port"). `wake` tells the connection that fill() may add
// something. It may be called at any time on the loop's thread while the session lives.
using session_maker = std::function<std::unique_ptr<session>(std::string peer, std::function<void()> wake)>;

}  // namespace tidegate::net
