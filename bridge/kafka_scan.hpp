// Looks through a destination topic for records that were sent before. Blocks: for a worker thread.
#pragma once

#include <stop_token>

#include "bridge/kafka_settings.hpp"

namespace tidegate::bridge {

// Reads each partition from where the request says to its end as it is when the reading begins. `partitions` is the
// number that the destination has. Throws error_exception when the centre brings nothing for ten seconds, or a stop is
// asked for.
recovery scan_destination(const kafka_settings& settings, const recovery_request& request, std::int32_t partitions,
                          std::stop_token stop);

}  // namespace tidegate::bridge
