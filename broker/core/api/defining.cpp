#include "broker/core/api/defining.hpp"

#include <fmt/format.h>

namespace tidegate::core::api {

result<std::uint64_t> defining::remove_queue(std::string_view name, const receipt& answer,
                                             const removal_conditions& conditions) {
  queues::queue* const queue = catalog_.queues().find(name);
  std::uint64_t ready = 0;
  if (queue != nullptr) {
    const auto checked = catalog::queue_registry::check_usable(*queue, answer.session);
    if (!checked) return checked.error();
    if (conditions.unused && !queue->consumers().empty()) {
      return error{errc::precondition, fmt::format("queue '{}' has {} consumers", name, queue->consumers().size()),
                   "if_unused"};
    }
    ready = queue->ready();
    if (conditions.empty && ready > 0) {
      return error{errc::precondition, fmt::format("queue '{}' has {} messages ready", name, ready), "if_empty"};
    }
    consuming_.remove(*queue);
  }
  catalog_.settle(answer);
  return ready;
}

result<void> defining::remove_topic(std::string_view name, const receipt& answer) {
  const auto gone = catalog_.remove_topic(name, answer);
  if (!gone) return gone.error();
  for (const stream_id stream : *gone) reading_.wake(stream);
  return {};
}

}  // namespace tidegate::core::api
