// Counts each stream's records in chunks and journal and checks them against the books, for `tidegate store check`.
#pragma once

#include <functional>
#include <map>

#include "broker/store/books.hpp"
#include "broker/store/chunk.hpp"

namespace tidegate::store::offline {

// Called once for each fault of a chunk or a batch. `what` starts with a verb.
using complaint = std::function<void(const std::string& what)>;

struct stream_count {
  std::uint64_t chunk_bytes = 0;
  std::uint64_t chunks = 0;
  std::uint64_t live = 0;  // records at or above the log start that are not acknowledged
  std::uint64_t gone = 0;  // logs: offsets at or above the log start that repacked chunks lack
  offset_t behind = 0;     // one past the last offset seen
  offset_t covered_end = 0;
};

class stream_census {
 public:
  // `books` may be null: then only faults that need no comparison are found.
  explicit stream_census(const books* books) : books_(books) {}

  // Checks a row of the chunk table. Call for each row, in key order.
  void take_chunk_row(const lmdb::txn& txn, lmdb::table chunks, const lmdb::entry& row, const complaint& complain);
  // Counts and checks what the journal still holds of the streams. Call after all chunks.
  void take_segments(const ring& journal, const std::function<complaint(stream_id)>& complain);
  const std::map<stream_id, stream_count>& counts() const { return counts_; }

 private:
  void take_chunk(chunk_place place, std::string_view chunk, const complaint& complain);
  void take_coverage(const chunk_header& header, const complaint& complain);
  void take_batch(stream_id stream, const batch_view& batch, const complaint& complain);
  const stream_ledger* ledger_of(stream_id stream) const;

  const books* books_;
  std::map<stream_id, stream_count> counts_;
  std::optional<std::pair<chunk_place, std::uint16_t>> last_row_;  // and the number of its piece
  std::string gathered_;
};

// Checks the batch's own CRC, and its records one by one if they are not compressed.
void check_batch(const batch_view& batch, const complaint& complain);

}  // namespace tidegate::store::offline
