// Messages that leave a queue other than by an acknowledgement. A message that dies, or that waits for another try,
// departs: the queue hands it to the caller as a departure. It is out until the caller settles it in its lane.
#pragma once

#include <functional>

#include "broker/core/queues/lane.hpp"
#include "broker/model/deaths.hpp"

namespace tidegate::core::queues {

struct departure {
  held_message message;
  death_reason reason{};
  bool returns = false;  // waits for its next try, and comes back to the queue: it does not die
};
using departing = std::function<void(const departure&, message_view&)>;

// What taking messages needs from outside.
struct surroundings {
  const store::reader& reader;
  store::commit_group& group;
  std::uint64_t now_ms = 0;  // age of the store
  const departing& depart;   // receives messages that have expired
};

// Returns what is kept of a message that was taken. `deliveries`: before, as the lane knows them.
inline held_message held_of(const record_view& record, const message_view& message, std::uint32_t deliveries,
                            std::uint8_t level) {
  const std::uint32_t all = std::min(std::max(deliveries, message.attempts), store::deliveries_max);
  return {record.offset, message.due_ms, static_cast<std::uint32_t>(message.body.size()),
          static_cast<std::uint16_t>(all), level};
}

}  // namespace tidegate::core::queues
