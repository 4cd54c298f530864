// From the journal into chunks: only what is alive, in big pieces.
#pragma once

#include <string>
#include <vector>

#include "broker/model/record_batch.hpp"
#include "broker/store/ledger.hpp"

namespace tidegate::store {

struct chunk {
  offset_t last_offset = 0;
  std::string bytes;  // record batches v2, back to back
};

// Packs batches into chunks of at most chunk_bytes_max; a larger batch has a chunk of its own. Small uncompressed
// batches are merged into big ones, record by record, without what the ledger calls dead; large and compressed ones
// keep their bytes.
class chunk_builder {
 public:
  explicit chunk_builder(const stream_ledger& ledger) : ledger_(ledger) {}
  void add(const batch_view& batch);
  std::vector<chunk> finish();

 private:
  void add_records(const batch_view& batch);
  void add_whole(std::string_view batch, offset_t last_offset);
  void close_merged();
  void close_chunk();

  const stream_ledger& ledger_;
  batch_builder merged_;
  chunk open_;
  std::vector<chunk> chunks_;
};

}  // namespace tidegate::store
