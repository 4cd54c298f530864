// A chunk: record batches v2 of one stream, back to back, under a header of its own. The batches' CRCs leave out the
// first 21 bytes of each, its base offset among them; the header's CRC covers exactly those, so that every byte is
// covered once and a reader of one batch need not look at the others' records. The header also names the stream, for a
// chunk found in a damaged file.
//
//    0  magic "TGC1"
//    4  stream       u32
//    8  last offset  u64  of the last record; with the stream the key in the chunk table, but for the piece
//   16  length       u32  of the whole chunk
//   20  CRC-32C      u32  of bytes 0 to 19 and of each batch's first 21 bytes
//   24  batches
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/model/record_batch.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store {

constexpr std::size_t chunk_header_bytes = 24;

// Puts the header before the batches.
std::string seal_chunk(chunk_place place, std::string_view batches);

// As the chunk says in its first row; 0: it says nothing.
std::size_t chunk_length(std::string_view first_row);

// The batches of a chunk found under this key. Whether each one's own CRC is right is for the caller to check. Errors:
// anything else that is wrong with it.
result<std::vector<batch_view>> read_chunk(chunk_place place, std::string_view value);

// The same for those who cannot go on without it: throws storage_failure.
std::vector<batch_view> read_chunk_or_fail(chunk_place place, std::string_view value);

// Whether a chunk found under this key says itself that it belongs there. Nothing else of it is looked at.
bool is_in_place(chunk_place place, std::string_view value);

}  // namespace tidegate::store
