// One partition of a topic, read through the broker's native port.
#pragma once

#include "bridge/route.hpp"
#include "bridge/session.hpp"

namespace tidegate::bridge {

// Reports to the route's forwarder of that partition.
std::unique_ptr<source> make_broker_source(session& session, route& route, std::uint32_t partition);

}  // namespace tidegate::bridge
