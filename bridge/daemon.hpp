// The running bridge: creates the session and the routes, ticks the routes, writes the status file and stops in order.
#pragma once

#include "bridge/config.hpp"

namespace tidegate::bridge {

// Runs the bridge until SIGTERM or SIGINT; a second of these ends it without waiting for confirmations. SIGHUP reports
// that the link is back: pauses between attempts end at once.
void run_daemon(const config& config);

}  // namespace tidegate::bridge
