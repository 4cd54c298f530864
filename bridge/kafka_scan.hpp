// Searches a destination topic for records that were sent before. The search blocks, so it runs on a worker thread.
#pragma once

#include <stop_token>

#include "bridge/kafka_settings.hpp"

namespace tidegate::bridge {

// Reads each partition from the offset in the request to the end that the partition has when the reading starts. With
// partitioner::source it reads only the partition that has the source partition's number. `partitions` is the number of
// partitions of the destination. Throws error_exception if that partition does not exist, if the centre delivers
// nothing for ten seconds, or if a stop is requested.
recovery scan_destination(const kafka_settings& settings, const recovery_request& request, std::int32_t partitions,
                          std::stop_token stop);

}  // namespace tidegate::bridge
