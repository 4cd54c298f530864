#include "broker/core/api/defining.hpp"

namespace tidegate::core::api {

result<void> defining::remove_queue(std::string_view name, const receipt& answer) {
  const queues::queue* const queue = catalog_.queues().find(name);
  if (queue != nullptr && queue->consumers().empty()) consuming_.forget(*queue);
  return catalog_.remove_queue(name, answer);
}

result<void> defining::remove_topic(std::string_view name, const receipt& answer) {
  const auto gone = catalog_.remove_topic(name, answer);
  if (!gone) return gone.error();
  for (const stream_id stream : *gone) reading_.wake(stream);
  return {};
}

}  // namespace tidegate::core::api
