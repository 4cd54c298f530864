#include "broker/core/catalog/protection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/log.hpp"

namespace tidegate::core::catalog {

std::string protection::kept_for(const topics::partition& partition) const {
  std::string slowest;
  offset_t lowest = partition.next;
  for (const std::string& name : partition.owner->definition().protect) {
    const auto found = offsets_.slowest(partition.stream, name);
    if (!found) return fmt::format("for group '{0}' or '{0}/...', which has committed no offset yet", name);
    if (found->offset >= lowest) continue;
    lowest = found->offset;
    slowest = fmt::format("for protected group '{}', which stands at offset {}", found->group, found->offset);
  }
  return slowest;
}

std::vector<std::string> protection::unmatched(const topics::topic& topic) const {
  std::vector<std::string> unmatched;
  for (const std::string& name : topic.definition().protect) {
    const auto is_carried = [&](const topics::partition& partition) {
      return offsets_.slowest(partition.stream, name).has_value();
    };
    if (std::none_of(topic.partitions().begin(), topic.partitions().end(), is_carried)) unmatched.push_back(name);
  }
  return unmatched;
}

void protection::warn(const topics::topic& topic) const {
  for (const std::string& name : unmatched(topic)) {
    log::warning(
        "topic {} protects '{}', and no group '{}' or '{}/...' has committed an offset yet: until one does, "
        "nothing of the topic counts as read",
        topic.definition().name, name, name, name);
  }
}

// Only the first topics are logged name by name: a gateway with many such topics lists them in its status.
void protection::warn(const topic_registry& topics) const {
  constexpr std::size_t topics_told = 10;
  std::size_t told = 0, others = 0;
  for (const auto& [name, topic] : topics.all()) {
    if (unmatched(*topic).empty()) continue;
    if (told++ < topics_told) {
      warn(*topic);
    } else {
      ++others;
    }
  }
  if (others > 0) log::warning("{} more topics protect groups that have committed no offset yet", others);
}

offset_t protection::unread_from(const topics::partition& partition) const {
  const auto* const stream = store_.read().find(partition.stream);
  const offset_t log_start = stream == nullptr ? 0 : stream->log_start;
  offset_t unread = offsets_.lowest(partition.stream, partition.next);
  for (const std::string& name : partition.owner->definition().protect) {
    if (!offsets_.slowest(partition.stream, name)) unread = log_start;
  }
  return std::max(unread, log_start);
}

// Records in memory end with the process anyway, so their loss is never recorded.
void protection::lose_unread(const topics::partition& partition, store::commit_group& group) const {
  const topic_definition& topic = partition.owner->definition();
  const offset_range unread{unread_from(partition), partition.next};
  if (unread.empty() || topic.durability.is_memory()) return;
  store::loss_record lost{store::loss_reason::deleted,
                          partition.stream,
                          fmt::format("{}/{}", topic.name, partition.number),
                          unread.begin,
                          unread.end,
                          unread.size()};
  lost.unread = lost.records;
  const auto* const stream = store_.read().find(partition.stream);
  const std::uint64_t held = stream == nullptr ? 0 : stream->end - stream->log_start;
  if (held > 0) lost.bytes = stream->bytes / held * lost.records;  // estimated from the mean record size
  group.lose(std::move(lost));
}

}  // namespace tidegate::core::catalog
