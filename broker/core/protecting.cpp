// For whom a topic keeps its records: the groups that read it, and those that `protect` names.
#include <fmt/format.h>

#include <algorithm>

#include "broker/base/log.hpp"
#include "broker/core/broker.hpp"

namespace tidegate::core {

std::string broker::kept_for(const topic_definition& topic, const partition& partition) const {
  std::string slowest;
  offset_t lowest = partition.next;
  for (const std::string& name : topic.protect) {
    const auto found = offsets_.slowest(partition.stream, name);
    if (!found) return fmt::format("for group '{0}' or '{0}/...', which has committed no offset yet", name);
    if (found->offset >= lowest) continue;
    lowest = found->offset;
    slowest = fmt::format("for protected group '{}', which stands at offset {}", found->group, found->offset);
  }
  return slowest;
}

std::vector<std::string> broker::unmatched_protect(const topic& topic) const {
  std::vector<std::string> unmatched;
  for (const std::string& name : topic.definition().protect) {
    const auto is_carried = [&](const partition& partition) {
      return offsets_.slowest(partition.stream, name).has_value();
    };
    if (std::none_of(topic.partitions().begin(), topic.partitions().end(), is_carried)) unmatched.push_back(name);
  }
  return unmatched;
}

void broker::tell_unmatched_protect(const topic& topic) const {
  for (const std::string& name : unmatched_protect(topic)) {
    log::warning(
        "topic {} protects '{}', and no group '{}' or '{}/...' has committed an offset yet: until one does, "
        "nothing of the topic counts as read",
        topic.definition().name, name, name, name);
  }
}

// One line a name, of the first few topics: a gateway with many has them in its status.
void broker::tell_unmatched_protect() const {
  constexpr std::size_t topics_told = 10;
  std::size_t told = 0, others = 0;
  for (const auto& [name, topic] : topics_) {
    if (unmatched_protect(*topic).empty()) continue;
    if (told++ < topics_told) {
      tell_unmatched_protect(*topic);
    } else {
      ++others;
    }
  }
  if (others > 0) log::warning("{} more topics protect groups that have committed no offset yet", others);
}

offset_t broker::unread_from(const topic_definition& topic, const partition& partition) const {
  const auto* const stream = store_.read().find(partition.stream);
  const offset_t log_start = stream == nullptr ? 0 : stream->log_start;
  offset_t unread = offsets_.lowest(partition.stream, partition.next);
  for (const std::string& name : topic.protect) {
    if (!offsets_.slowest(partition.stream, name)) unread = log_start;
  }
  return std::max(unread, log_start);
}

// What lives in memory is counted nowhere when it ends, however it ends.
void broker::lose_unread(const topic_definition& topic, std::uint32_t number, const partition& partition) {
  const offset_range unread{unread_from(topic, partition), partition.next};
  if (unread.empty() || topic.durability.is_memory()) return;
  store::loss_record lost{store::loss_reason::deleted,
                          partition.stream,
                          fmt::format("{}/{}", topic.name, number),
                          unread.begin,
                          unread.end,
                          unread.size()};
  lost.unread = lost.records;
  const auto* const stream = store_.read().find(partition.stream);
  const std::uint64_t held = stream == nullptr ? 0 : stream->end - stream->log_start;
  if (held > 0) lost.bytes = stream->bytes / held * lost.records;  // about
  store_.open_group().lose(std::move(lost));
}

}  // namespace tidegate::core
