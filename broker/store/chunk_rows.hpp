// Chunks in the chunk table. One that is longer than a row's value may be stands in several rows, its pieces, numbered
// from 0 in their keys; together they are the chunk, to the byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/store/format.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// In rows of `row_bytes` and a last, shorter one.
void put_chunk(lmdb::txn& txn, lmdb::table chunks, chunk_place place, std::string_view chunk, std::size_t row_bytes);

// All of the chunk whose first piece is in `head`: a view of that row, or of what `gathered` then holds. Where a piece
// is missing, or has another number, it ends before that one: read_chunk tells.
std::string_view whole_chunk(const lmdb::txn& txn, lmdb::table chunks, const lmdb::entry& head, std::string& gathered);

// Goes from chunk to chunk. Places are as the keys say; a chunk whose first piece is missing still has its place.
class chunk_cursor {
 public:
  chunk_cursor(const lmdb::txn& txn, lmdb::table chunks) : txn_(txn), chunks_(chunks), rows_(txn, chunks) {}

  // To the first chunk of the stream that ends at this offset or behind it; without one, of the streams behind.
  void seek(stream_id stream, offset_t offset);
  void next();
  // Removes the chunk and goes to the next one.
  struct erased {
    std::size_t bytes = 0;       // of its batches
    std::size_t page_bytes = 0;  // that is free now
  };
  erased erase();

  // Behind the last one: none.
  std::optional<chunk_place> place() const;
  // None: it stands on another stream's chunk, or behind the last one.
  std::optional<offset_t> last_offset_in(stream_id stream) const;
  // Views last until the transaction changes something, or the cursor goes on.
  std::string_view chunk();
  // Of the chunk; the page with its header is all that need be read.
  std::string_view first_row() const { return row_.value().value; }
  // Of its batches, by the length of its rows.
  std::size_t bytes() const;
  // Asks the kernel for this row and those of its stream that come next, about `bytes` in all: they are read soon.
  // Returns the last offset of the last one's chunk.
  offset_t ask_ahead(std::size_t bytes) const;

 private:
  const lmdb::txn& txn_;
  lmdb::table chunks_;
  lmdb::cursor rows_;
  std::optional<lmdb::entry> row_;
  std::string gathered_;
};

}  // namespace tidegate::store
