// Searches a destination topic for records that were sent before. Blocks: call it on a worker thread.
#pragma once

#include <stop_token>

#include "bridge/kafka_settings.hpp"

namespace tidegate::bridge {

// Reads each partition from where the request says to its end at that time. `partitions`: how many the destination has.
// Throws error_exception if nothing comes from the centre for ten seconds, or if a stop is asked for.
recovery scan_destination(const kafka_settings& settings, const recovery_request& request, std::int32_t partitions,
                          std::stop_token stop);

}  // namespace tidegate::bridge
