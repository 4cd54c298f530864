// A chunk: record batches v2 of one stream, back to back, after a header of its own. A batch's CRC does not cover the
// batch's first 21 bytes, which include the base offset. The chunk's header has a CRC of exactly those bytes. So every
// byte is covered once, and a reader of one batch does not read the records of others. The header names the stream, so
// that a chunk found in a damaged file can be assigned to it.
//
//    0  magic "TGC2"
//    4  stream          u32
//    8  last offset     u64  the last one covered; the chunk table's key is stream, last offset and piece
//   16  length          u32  of the whole chunk
//   20  covered from    u64  the first offset covered; a covered offset that is in no batch was removed on purpose
//   28  newest time     i64  of the chunk's records, Unix ms
//   36  running newest  i64  at least the newest time of the stream's records up to the last offset, when it was made
//   44  flags           u16  1: the chunk replaces others, and lacks records that they had
//   46  heads' CRC-32C  u32  of each batch's first 21 bytes
//   50  CRC-32C         u32  of bytes 0 to 49
//   54  batches; none = every covered offset was removed
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "broker/model/record_batch.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store {

constexpr std::size_t chunk_header_bytes = 54;
constexpr std::size_t chunk_last_offset_at = 8;
// Newest time of a chunk without records.
constexpr std::int64_t no_time = std::numeric_limits<std::int64_t>::min();

struct chunk_header {
  chunk_place place;
  offset_t covered_from = 0;
  std::int64_t newest_timestamp_ms = no_time;
  std::int64_t running_newest_ms = no_time;
  bool is_repacked = false;
};

struct chunk_view {
  chunk_header header;
  std::vector<batch_view> batches;
};

// Returns the header followed by the batches.
std::string seal_chunk(const chunk_header& header, std::string_view batches);
// Writes the header into the first chunk_header_bytes of `row`; the batches follow them.
void seal_in_place(const chunk_header& header, std::string& row);

// Returns the length that the chunk's first row states, which is not checked; 0 = the row is too short.
std::size_t chunk_length(std::string_view first_row);

// Reads and checks the header of the chunk stored under this key, from its first row alone. The error says what is
// wrong.
result<chunk_header> read_chunk_header(chunk_place place, std::string_view first_row);

// Reads the chunk stored under this key. Does not check each batch's own CRC, which the caller does. The error says
// what else is wrong. Views into `value`.
result<chunk_view> read_chunk(chunk_place place, std::string_view value);

// Returns whether the chunk stored under this key names this stream and last offset. Checks nothing else.
bool is_in_place(chunk_place place, std::string_view value);

}  // namespace tidegate::store
