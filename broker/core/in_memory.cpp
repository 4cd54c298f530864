// The broker's side of what lives in memory only: when it is there, and when there is no room for it.
#include <fmt/format.h>

#include <algorithm>

#include "broker/core/broker.hpp"

namespace tidegate::core {

error broker::memory_full_error() const {
  const store::memory_use& use = store_.memory();
  return {errc::store_full,
          fmt::format("what lives in memory takes {} of {} KiB, and no log there may give way for more: consume, or "
                      "raise store.memory_bytes_max",
                      use.bytes / limits::kib, use.bytes_max / limits::kib)};
}

result<void> broker::check_memory(std::string_view kind, const durability& durability,
                                  std::uint64_t retention_bytes) const {
  const std::uint64_t bytes_max = store_.memory().bytes_max;
  if (!durability.is_memory()) return {};
  if (bytes_max == 0) {
    return error{errc::not_allowed,
                 fmt::format("a {} of durability memory: this broker keeps nothing in memory only "
                             "(store.memory_bytes_max is 0)",
                             kind),
                 "durability"};
  }
  if (retention_bytes <= bytes_max) return {};
  return error{errc::invalid,
               fmt::format("retention of {} bytes: of durability memory it takes {} at most (store.memory_bytes_max)",
                           retention_bytes, bytes_max),
               "retention_bytes"};
}

result<void> broker::check_stays(std::string_view kind, std::string_view name, const durability& is,
                                 const durability& wanted) {
  if (is.is_memory() == wanted.is_memory()) return {};
  return error{errc::precondition,
               fmt::format("{} '{}' has durability {}, and the configuration says {}: what it holds cannot move into "
                           "memory or out of it; configure what it has, or delete it first",
                           kind, name, to_text(is), to_text(wanted)),
               "durability"};
}

// So that one partition alone does not take all of the memory.
std::uint64_t broker::retention_bytes_default(const durability& durability) const {
  if (!durability.is_memory()) return options_.retention_bytes_default;
  return std::min(options_.retention_bytes_default, store_.memory().bytes_max / 4);
}

// A stream keeps the order in which it was given its records, and a producer's sequence says that those before it are
// here: behind what waits for a commit, everything waits for it.
commits::course broker::course_of(const message_view& message, const routing::route& route,
                                  const std::optional<producer_ref>& producer) {
  bool is_free = true;
  for (const queue* const queue : route.queues) {
    if (!queue->is_in_memory()) return course::written;
    is_free = is_free && store_.is_free(queue->stream(), queue->next_offset() + 1);
  }
  for (topic* const topic : route.topics) {
    if (!topic->is_in_memory()) return course::written;
    const partition& partition = choose(*topic, message.key);
    is_free = is_free && store_.is_free(partition.stream, partition.next + 1);
  }
  return is_free && !(producer && producers_.is_on_its_way(*producer)) ? course::at_once : course::riding;
}

store::commit_group& broker::group_of(const queue& queue) {
  return commits_.group_of(queue.definition().durability, course::at_once);
}

result<void> broker::promise_memory(const message_view& message, const routing::route& route, course course) {
  std::uint64_t targets = 0;
  for (const queue* const queue : route.queues) targets += queue->is_in_memory() ? 1 : 0;
  for (const topic* const topic : route.topics) targets += topic->is_in_memory() ? 1 : 0;
  if (targets == 0) return {};
  store::commit_group& group = commits_.group_of(durability::memory(), course);
  if (store_.promise_memory(group, targets * record_size_bound(message), targets)) return {};
  ++counters_.refused_full;
  return memory_full_error();
}

}  // namespace tidegate::core
