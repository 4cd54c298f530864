// The hash that maps a key to a partition. It is the hash of Kafka's Java client, so a key's records go to the same
// partition here and at the centre if both have as many partitions.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate::core::topics {

// Returns Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2) with the sign bit cleared.
std::uint32_t murmur2(std::string_view key);

}  // namespace tidegate::core::topics
