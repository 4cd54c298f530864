// The broker as a process: makes each object once, connects them, and runs until it is asked to stop.
#pragma once

#include "broker/main/configuration.hpp"

namespace tidegate {

// Returns after a signal to stop, when everything is on flash. Throws storage_failure, and error_exception if the
// configuration does not fit the machine or the store.
void run_daemon(const configuration& configuration);

}  // namespace tidegate
