// Packs records from the journal into chunks, and from nearly empty chunks into full ones: live records only.
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
  std::string row;  // room for the chunk's header, then its batches; empty = no batch yet
  std::string_view batches() const { return std::string_view(row).substr(row.empty() ? 0 : chunk_header_bytes); }
};

// Whether a batch is small and uncompressed. The header of such a batch costs enough to merge it with others.
bool is_mergeable(const batch_view& batch);

// Packs batches into chunks of at most chunk_bytes_max; a larger batch has a chunk of its own. Small uncompressed
// batches are merged record by record, without records that are dead by the ledger; large and compressed ones keep
// their bytes. Throws storage_failure if a batch to be merged is damaged.
class chunk_builder {
 public:
  explicit chunk_builder(const stream_ledger& ledger) : ledger_(ledger) {}
  void add(const batch_view& batch);
  // Adds the batch as it is, whatever the ledger says.
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
  std::size_t packed_bytes_ = 0;  // of the last batch
  std::vector<packed_chunk> chunks_;
};

}  // namespace tidegate::store
