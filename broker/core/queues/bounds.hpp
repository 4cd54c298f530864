// The bounds of a queue, in number and bytes of its ready messages, and what happens when they are reached.
#pragma once

#include <functional>
#include <vector>

#include "broker/core/queues/levels.hpp"
#include "broker/core/queues/moving.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::core::queues {

class bounds {
 public:
  // Both must outlive the bounds.
  bounds(const queue_definition& definition, const levels& lanes) : definition_(definition), lanes_(lanes) {}

  // Checks whether the queue accepts a message with a body of `bytes`, if `planned` will come before it. Errors: the
  // body is longer than bytes_max; the queue is at a bound and its overflow is reject.
  result<void> check_room(std::uint64_t bytes, const amount& planned = {}) const;
  // Call before the group is handed over. If a drop-oldest queue exceeds a bound with the group's appends, drops the
  // excess in the same commit, lowest priorities first, and returns the drops. `left` receives those that come back if
  // the group is void. After a bound was lowered, the excess may be dropped over several groups. A queue with a
  // dead-letter exchange drops nothing here: see bury_excess().
  std::vector<dropped_range> keep(const store::reader& reader, store::commit_group& group,
                                  const std::function<void(const held_message&)>& left) const;
  // Returns whether the queue has a dead-letter exchange and more ready messages than a bound allows.
  bool has_excess() const;
  // Hands the oldest ready messages to `around.depart`, lowest priorities first, until the queue is within its bounds
  // or `goes_on` returns false. Error: the store cannot be read.
  result<void> bury_excess(const surroundings& around, const std::function<bool()>& goes_on) const;

 private:
  bool is_over(const amount& held) const;
  result<void> bury(lane& lane, const surroundings& around, const std::function<bool()>& goes_on) const;

  const queue_definition& definition_;
  const levels& lanes_;
};

}  // namespace tidegate::core::queues
