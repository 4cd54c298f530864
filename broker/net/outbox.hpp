// Bytes that wait to be sent to one peer.
#pragma once

#include <string>

#include "broker/base/limits.hpp"

namespace tidegate::net {

class outbox {
 public:
  std::string& bytes() { return bytes_; }
  const std::string& bytes() const { return bytes_; }
  // Returns whether the outbox is below the mark. At or above it, a front-end takes no more from queues or topics, and
  // no input that has to be answered.
  bool has_room() const { return bytes_.size() < limits::outbox_bytes_mark; }
  // Returns whether the outbox is over its bound. The peer then sends requests and does not read the answers, and the
  // connection has to end.
  bool is_over() const { return bytes_.size() > limits::outbox_bytes_max; }

 private:
  std::string bytes_;
};

}  // namespace tidegate::net
