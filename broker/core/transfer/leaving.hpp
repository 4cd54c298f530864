// Messages that have left their queues in a commit that is not on flash yet. If the commit has no room for its records,
// these messages come back.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "broker/core/queues/queue.hpp"

namespace tidegate::core::transfer {

class leaving {
 public:
  // Notes a message that leaves in the group that gathers.
  void add(queues::queue& queue, const queues::held_message& message) { gathering_.push_back({&queue, message}); }
  // The group went to the writer.
  void handed_over() { flying_ = std::exchange(gathering_, {}); }
  // The group with the writer is on flash.
  void stored() { flying_ = {}; }
  // Both groups are void: calls `back` for each message that comes back.
  void come_back(const std::function<void(queues::queue&, const queues::held_message&)>& back) {
    for (auto* const group : {&flying_, &gathering_}) {
      for (const auto& [queue, message] : std::exchange(*group, {})) back(*queue, message);
    }
  }
  // The queue was deleted.
  void forget(const queues::queue& queue) {
    for (auto* const group : {&flying_, &gathering_}) {
      std::erase_if(*group, [&](const auto& one) { return one.first == &queue; });
    }
  }

 private:
  using departed = std::vector<std::pair<queues::queue*, queues::held_message>>;
  departed gathering_, flying_;
};

}  // namespace tidegate::core::transfer
