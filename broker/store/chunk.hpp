// A chunk: record batches v2 of one stream, back to back, after a header of its own. A batch's CRC leaves out its first
// 21 bytes, with its base offset; the chunk's header has a CRC of exactly those. So every byte is covered once, and a
// reader of one batch does not read the records of others. The header names the stream, so that a chunk found in a
// damaged file can be placed.
//
//    0  magic "TGC2"
//    4  stream          u32
//    8  last offset     u64  of what it covers; with the stream the key in the chunk table, but for the piece
//   16  length          u32  of the whole chunk
//   20  covered from    u64  offsets from here to the last one that are not in its batches are gone by right
//   28  newest time     i64  of its own records, Unix ms
//   36  running newest  i64  at least that of the stream's records that were there when it was made, up to its last one
//   44  flags           u16  1: it replaces chunks, and lacks records that these had
//   46  heads' CRC-32C  u32  of each batch's first 21 bytes
//   50  CRC-32C         u32  of bytes 0 to 49
//   54  batches; none: all that it covers is gone
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
// Timestamp of a chunk without records.
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
// The same in place: `row` starts with room for the header.
void seal_in_place(const chunk_header& header, std::string& row);

// Returns the length that the chunk gives in its first row; 0 = it gives none.
std::size_t chunk_length(std::string_view first_row);

// Reads the header of a chunk found under this key, from its first row alone. The error says what is wrong.
result<chunk_header> read_chunk_header(chunk_place place, std::string_view first_row);

// Reads a chunk found under this key. The caller checks each batch's own CRC. The error says what else is wrong.
result<chunk_view> read_chunk(chunk_place place, std::string_view value);

// Checks only whether the chunk found under this key names that key as its place.
bool is_in_place(chunk_place place, std::string_view value);

}  // namespace tidegate::store
