// Decompresses record batches. A compressed batch is stored and passed on as it came; this is for code that needs its
// records.
#pragma once

#include <string>
#include <string_view>

#include "broker/model/record_batch.hpp"

namespace tidegate {

// Kafka's codecs: bits 0-2 of a batch's attributes.
enum class codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
codec codec_of(const batch_view& batch);
// Returns "codec 5" and the like for numbers without a name.
std::string name(codec codec);

// Returns the batch's records uncompressed; a copy if the batch is not compressed. `bytes_max` bounds the result, since
// a small batch may decompress to many bytes. Errors: unsupported codec, malformed, too large.
//
// gzip: RFC 1952. snappy: raw, or in snappy-java's framing. lz4: the LZ4 frame format. zstd: RFC 8878.
result<std::string> decompress(const batch_view& batch, std::size_t bytes_max);

// Returns the batch with these records instead of its compressed ones, for a record_reader. Its views point into both.
batch_view opened(const batch_view& batch, std::string_view records);

}  // namespace tidegate
