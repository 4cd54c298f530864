// The broker as a process: makes each object once, connects them, and runs until it is asked to stop.
#pragma once

#include "broker/main/configuration.hpp"

namespace tidegate {

// Runs until a signal asks it to stop (SIGINT, SIGTERM). Returns when all connections have ended and everything is on
// flash, or when 10 seconds have passed since the signal. Throws storage_failure, and error_exception if the
// configuration does not fit the machine or the store.
void run_daemon(const configuration& configuration);

}  // namespace tidegate
