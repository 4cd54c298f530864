// CRC-32C (Castagnoli, RFC 3720): what Kafka's record batches carry, and the journal's blobs.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate {

// Of `data`, going on from `before`, the CRC of what came earlier. Uses the processor's instruction where it has one.
std::uint32_t crc32c(std::string_view data, std::uint32_t before = 0);

namespace detail {
std::uint32_t crc32c_portable(std::string_view data, std::uint32_t before);
}

}  // namespace tidegate
