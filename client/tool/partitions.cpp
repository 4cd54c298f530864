#include "client/tool/partitions.hpp"

#include <numeric>

namespace tidegate::tool {

using client::awaitable;

awaitable<found_topic> find_topic(client::connection& broker, const std::string& name,
                                  std::optional<std::uint32_t> only) {
  client::topic_definition asked;
  asked.name = name;
  const client::declared_topic declared = co_await broker.declare_topic(asked, true);
  found_topic topic{name, declared.id, std::vector<std::uint32_t>(only ? 1 : declared.partitions)};
  std::iota(topic.partitions.begin(), topic.partitions.end(), only.value_or(0));
  co_return topic;
}

awaitable<offset_t> offset_at(client::connection& broker, const found_topic& topic, std::uint32_t partition,
                              moment where) {
  if (where.offset) co_return *where.offset;
  const auto found = co_await broker.list_offset(topic.name, partition, where.timestamp_ms, topic.id);
  co_return found.offset;
}

}  // namespace tidegate::tool
