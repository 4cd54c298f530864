// Finds a topic's partitions and offsets, for the commands tail and offsets.
#pragma once

#include <optional>
#include <vector>

#include "client/connection.hpp"
#include "client/tool/moment.hpp"

namespace tidegate::tool {

// A topic that was found by its name. Offsets are requested with its id, so that they cannot be those of another topic
// that was declared under the same name since.
struct found_topic {
  std::string name;
  std::string id;
  std::vector<std::uint32_t> partitions;  // the requested one, or all of the topic
};

// Returns the topic with the partition `only`, or with all its partitions if `only` is none. Does not check that the
// partition `only` exists.
client::awaitable<found_topic> find_topic(client::connection& broker, const std::string& name,
                                          std::optional<std::uint32_t> only);

// Returns the offset at that position. Asks the broker if the position is a time.
client::awaitable<offset_t> offset_at(client::connection& broker, const found_topic& topic, std::uint32_t partition,
                                      moment where);

}  // namespace tidegate::tool
