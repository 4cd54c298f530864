// The broker as a process: makes each object once, wires them, runs until told to stop.
#pragma once

#include "broker/main/configuration.hpp"

namespace tidegate {

// Returns when a signal asked for it and everything is on flash. Throws storage_failure, and error_exception for a
// configuration that does not fit the machine or the store.
void run_daemon(const configuration& configuration);

}  // namespace tidegate
