// The running bridge: makes every object once, ticks them, writes the status, and stops cleanly.
#pragma once

#include "bridge/config.hpp"

namespace tidegate::bridge {

// Returns after SIGTERM or SIGINT. SIGHUP means that the link is back: retries at once.
void run_daemon(const config& config);

}  // namespace tidegate::bridge
