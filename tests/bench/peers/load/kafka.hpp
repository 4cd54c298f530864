/* Kafka, at a rate: its own tools tell no time to deliver, and the latency of their first second is in all they tell.
 */
#pragma once

#include <cstdint>

#include "figures.hpp"

namespace tidegate::peers {

/// Produces into partition 0 of the topic `held` with acks=all, each record at its time, and follows it.
/// Throws std::runtime_error when the broker refuses or does not answer.
totals pace_kafka(std::uint16_t port, const settings& how);

}  // namespace tidegate::peers
