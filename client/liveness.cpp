#include "client/liveness.hpp"

#include <algorithm>

namespace tidegate::client {

void liveness::end_write(time_point now) {
  writing_since_.reset();
  sent_at_ = now;
}

liveness::time_point liveness::dead_at() const {
  return std::min(received_at_, writing_since_.value_or(time_point::max())) + silence_max();
}

liveness::time_point liveness::ping_at() const {
  return std::max(pinged_at_, std::min(received_at_, sent_at_)) + heartbeat_ * 3 / 4;
}

}  // namespace tidegate::client
