// Chooses the partition of a key as Kafka's Java client does, so that a key's records are in the same partition here
// and at the centre.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate::core::topics {

// Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2) with the sign bit cleared.
std::uint32_t murmur2(std::string_view key);

}  // namespace tidegate::core::topics
