// From the journal into chunks, and from thin chunks into full ones: only what is alive, in big pieces.
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
  std::string row;  // room for the chunk's header, and its batches; empty as long as there are none
  std::string_view batches() const { return std::string_view(row).substr(row.empty() ? 0 : chunk_header_bytes); }
};

// Small and plain: the header of such a batch is worth the work of merging it with others.
bool is_mergeable(const batch_view& batch);

// Packs batches into chunks of at most chunk_bytes_max; a larger batch has a chunk of its own. Small uncompressed
// batches are merged into big ones, record by record, without what the ledger calls dead; large and compressed ones
// keep their bytes. Throws storage_failure where a batch to be taken apart is damaged.
class chunk_builder {
 public:
  explicit chunk_builder(const stream_ledger& ledger) : ledger_(ledger) {}
  void add(const batch_view& batch);
  // As it is, whatever the ledger says.
  void add_untouched(const batch_view& batch);
  // No batch will hold records of both sides. Between the last commit and this one, so that a reader who does not know
  // of this one yet is never given its records in a batch with older ones.
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
  std::size_t packed_bytes_ = 0;  // of the last one
  std::vector<packed_chunk> chunks_;
};

}  // namespace tidegate::store
