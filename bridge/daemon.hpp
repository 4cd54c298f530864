// The running bridge: makes every object once, ticks them, writes the status, and ends in good order.
#pragma once

#include "bridge/config.hpp"

namespace tidegate::bridge {

// Until SIGTERM or SIGINT. SIGHUP: the link is back, try at once.
void run_daemon(const config& config);

}  // namespace tidegate::bridge
