// Questions about a topic that `tail` and `offsets` share.
#pragma once

#include <optional>
#include <vector>

#include "client/connection.hpp"
#include "client/tool/moment.hpp"

namespace tidegate::tool {

// A topic as it was found. Offsets are asked for with its id, so that they cannot be those of another topic that was
// declared under the name meanwhile.
struct found_topic {
  std::string name;
  std::string id;
  std::vector<std::uint32_t> partitions;  // the one that was asked for, or all
};

client::awaitable<found_topic> find_topic(client::connection& broker, const std::string& name,
                                          std::optional<std::uint32_t> only);

client::awaitable<offset_t> offset_at(client::connection& broker, const found_topic& topic, std::uint32_t partition,
                                      moment where);

}  // namespace tidegate::tool
