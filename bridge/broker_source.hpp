// A source (source.hpp) that reads one partition of a topic through the broker's native port.
#pragma once

#include "bridge/route.hpp"
#include "bridge/session.hpp"

namespace tidegate::bridge {

// Creates the source. It reports its answers to the route's forwarder of that partition. `session` and `route` outlive
// the source.
std::unique_ptr<source> make_broker_source(session& session, route& route, std::uint32_t partition);

}  // namespace tidegate::bridge
