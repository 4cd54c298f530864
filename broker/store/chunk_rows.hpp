// Chunks in the chunk table. A chunk that is longer than a row may be is split into several rows, its pieces. Their
// keys number them from 0, and their values in order are the chunk.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/store/format.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// Writes the chunk in rows of `row_bytes`; the last one may be shorter.
void put_chunk(lmdb::txn& txn, lmdb::table chunks, chunk_place place, std::string_view chunk, std::size_t row_bytes);

// Returns the whole chunk whose first piece is in `head`: a view of that row, or of `gathered`, which then holds the
// pieces. If a piece is missing or has a wrong number, the result ends before it, and read_chunk() reports that. Empty
// if `head` is not a first piece.
std::string_view whole_chunk(const lmdb::txn& txn, lmdb::table chunks, const lmdb::entry& head, std::string& gathered);

// Moves from chunk to chunk. A chunk's place is read from its key, so a chunk without its first piece has a place too.
class chunk_cursor {
 public:
  chunk_cursor(const lmdb::txn& txn, lmdb::table chunks) : txn_(txn), chunks_(chunks), rows_(txn, chunks) {}

  // Moves to the stream's first chunk that ends at or after this offset, or else to the next stream's first chunk.
  void seek(stream_id stream, offset_t offset);
  void next();
  // Removes the chunk and moves to the next one.
  struct erased {
    std::size_t bytes = 0;       // of the chunk's batches
    std::size_t page_bytes = 0;  // of the pages that are free now
  };
  erased erase();

  // Returns the chunk's place; none after the last chunk.
  std::optional<chunk_place> place() const;
  // Returns the chunk's last offset; none if the chunk is another stream's, or after the last chunk.
  std::optional<offset_t> last_offset_in(stream_id stream) const;
  // Returns the whole chunk. The view is valid until the transaction changes something or the cursor moves.
  std::string_view chunk();
  // Returns the chunk's first row. Only the page with its header has to be read.
  std::string_view first_row() const { return row_.value().value; }
  // Returns the bytes of the chunk's batches, from the length of its rows.
  std::size_t bytes() const;
  // Asks the kernel to read this row and the stream's next ones, about `bytes` in all. Returns the last offset of the
  // last chunk that was asked for.
  offset_t ask_ahead(std::size_t bytes) const;

 private:
  const lmdb::txn& txn_;
  lmdb::table chunks_;
  lmdb::cursor rows_;
  std::optional<lmdb::entry> row_;
  std::string gathered_;
};

}  // namespace tidegate::store
