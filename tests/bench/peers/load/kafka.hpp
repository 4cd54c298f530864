/* Load on Kafka at a rate. Kafka's own tools do not report the time to deliver, and all their figures include the
   latency of their first second. */
#pragma once

#include <cstdint>

#include "figures.hpp"

namespace tidegate::peers {

/// Produces into partition 0 of the topic `held` with acks=all, each record at its time, and consumes the records.
/// Throws std::runtime_error if the broker refuses or does not answer, or if `how` has no rate.
totals pace_kafka(std::uint16_t port, const settings& how);

}  // namespace tidegate::peers
