// Packs record batches into chunks: batches of the journal when they are rolled up, and batches of nearly empty chunks
// when they are thinned. Keeps live records only.
#pragma once

#include <string>
#include <vector>

#include "broker/model/record_batch.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/ledger.hpp"

namespace tidegate::store {

struct packed_chunk {
  offset_t last_offset = 0;
  std::int64_t newest_timestamp_ms = no_time;
  std::string row;  // space for the chunk's header, then its batches; empty = no batch yet
  std::string_view batches() const { return std::string_view(row).substr(row.empty() ? 0 : chunk_header_bytes); }
};

// Returns whether a batch is small, uncompressed and without a producer. The header of such a batch costs enough to
// merge the batch with others.
bool is_mergeable(const batch_view& batch);

// Packs batches into chunks of at most chunk_bytes_max; a larger batch has a chunk of its own. Small uncompressed
// batches are merged record by record, without records that are dead by the ledger. Large ones without dead records,
// and compressed ones, keep their bytes. Throws store_damaged if a batch to be taken apart is damaged.
class chunk_builder {
 public:
  explicit chunk_builder(const stream_ledger& ledger) : ledger_(ledger) {}
  // Adds the batch; one that ends below the log start is skipped.
  void add(const batch_view& batch);
  // Adds the batch as it is, dead records included.
  void add_untouched(const batch_view& batch);
  // Ends the merged batch, so that no batch holds records of both sides. Called between the last commit and this one: a
  // reader that does not know this commit yet must not get its records in a batch with older ones.
  void cut() { close_merged(); }
  std::vector<packed_chunk> finish();

 private:
  void add_records(const batch_view& batch);
  void add_whole(std::string_view batch, offset_t last_offset, std::int64_t newest_timestamp_ms);
  void close_merged();
  void close_chunk();

  const stream_ledger& ledger_;
  batch_builder merged_;
  packed_chunk open_;
  std::size_t packed_bytes_ = 0;  // of the last finished chunk's row
  std::vector<packed_chunk> chunks_;
};

}  // namespace tidegate::store
