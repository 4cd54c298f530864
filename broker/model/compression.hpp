// Opens record batches that a producer compressed. They are stored and handed on as they came; this is for those who
// need what is in one.
#pragma once

#include <string>
#include <string_view>

#include "broker/model/record_batch.hpp"

namespace tidegate {

// Kafka's codecs: bits 0-2 of a batch's attributes.
enum class codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
codec codec_of(const batch_view& batch);
// "codec 5" and the like for numbers that have no name.
std::string name(codec codec);

// The batch's records as they were before compression; of one that is not compressed a copy. `bytes_max` bounds what a
// small batch may turn into. Errors: unsupported codec, malformed, too large.
//
// gzip: RFC 1952. snappy: raw, or in snappy-java's framing. lz4: the LZ4 frame format. zstd: RFC 8878.
result<std::string> decompress(const batch_view& batch, std::size_t bytes_max);

// The same batch with these records in place of its compressed ones, for a record_reader; points into both.
batch_view opened(const batch_view& batch, std::string_view records);

}  // namespace tidegate
