#include "client/tool/partitions.hpp"

#include <numeric>

namespace tidegate::tool {

using client::awaitable;

awaitable<std::vector<std::uint32_t>> partitions_of(client::connection& broker, const std::string& topic,
                                                    std::optional<std::uint32_t> only) {
  if (only) co_return std::vector<std::uint32_t>(1, *only);
  client::topic_definition asked;
  asked.name = topic;
  std::vector<std::uint32_t> partitions(co_await broker.declare_topic(asked, true));
  std::iota(partitions.begin(), partitions.end(), 0u);
  co_return partitions;
}

awaitable<offset_t> offset_at(client::connection& broker, const std::string& topic, std::uint32_t partition,
                              moment where) {
  if (where.offset) co_return *where.offset;
  const auto found = co_await broker.list_offset(topic, partition, where.timestamp_ms);
  co_return found.offset;
}

}  // namespace tidegate::tool
