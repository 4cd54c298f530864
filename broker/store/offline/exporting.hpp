// Writes a store's live content into an archive, in the order in which importing.hpp reads it.
#pragma once

#include <functional>

#include "broker/store/offline/archive.hpp"
#include "broker/store/offline/offline_store.hpp"

namespace tidegate::store::offline {

// Counts of an archive, known at its end; also the body of its `end` section.
struct archive_counts {
  std::uint64_t streams = 0;
  std::uint64_t batches = 0;
  std::uint64_t rows = 0;  // everything except streams and batches
  friend bool operator==(const archive_counts&, const archive_counts&) = default;
};

// Called with the stream that is being transferred, and the bytes of the archive so far.
using transfer_step = std::function<void(std::string_view place, std::uint64_t bytes)>;

// Holds one batch at a time, besides what a start holds. Throws storage_failure at the first damage, and if the archive
// cannot be written. The archive has no `end` then.
archive_counts export_archive(offline_store& store, std::ostream& out, const transfer_step& step = {});

// Bodies of sections. Decoding throws storage_failure, whose text has the section's place in the archive.
struct archive_header {
  std::uint32_t format = format_version;
  std::uint64_t map_bytes = 0;  // the store's size; an import makes a store of the same size by default
  commit_number last_commit = 0;
  commit_time time;  // of that commit
};
std::string encode(const archive_header& header);
archive_header decode_header(const archive_section& section);

struct archived_row {
  std::string key;
  std::string value;
};
std::string encode(const archived_row& row);
archived_row decode_row(const archive_section& section);

struct archived_stream {
  stream_id stream{};
  checkpoint state;  // without the fields about chunks
};
// Returns the stream's row without the fields about chunks.
checkpoint archived_state(const stream_ledger& ledger);
// Calls `take` with key and value of each row of acknowledgements and delivery counts.
void each_block_row(const stream_ledger& ledger, const std::function<void(std::string, std::string)>& take);
// Returns whether every message of the batch is acknowledged or below the log start.
bool is_dead(const batch_view& batch, const stream_ledger& ledger);
std::string encode(const archived_stream& stream);
// `format`: from the archive's header.
archived_stream decode_stream(const archive_section& section, std::uint32_t format);

std::string encode(const archive_counts& counts);
archive_counts decode_counts(const archive_section& section);

}  // namespace tidegate::store::offline
