// Questions about a topic that tail and offsets have in common.
#pragma once

#include <optional>
#include <vector>

#include "client/connection.hpp"
#include "client/tool/moment.hpp"

namespace tidegate::tool {

// The one asked for, or all that the topic has.
client::awaitable<std::vector<std::uint32_t>> partitions_of(client::connection& broker, const std::string& topic,
                                                            std::optional<std::uint32_t> only);

client::awaitable<offset_t> offset_at(client::connection& broker, const std::string& topic, std::uint32_t partition,
                                      moment where);

}  // namespace tidegate::tool
