// CRC-32C (Castagnoli, RFC 3720): the checksum of Kafka's record batches and of the journal's blobs.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate {

// Returns the CRC of `data`. `before` is the CRC of the bytes in front of it; 0 = there are none. Uses the processor's
// instruction if it has one.
std::uint32_t crc32c(std::string_view data, std::uint32_t before = 0);

namespace detail {
std::uint32_t crc32c_portable(std::string_view data, std::uint32_t before);
}

}  // namespace tidegate
