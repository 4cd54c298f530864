// Exports what is whole of a store that no start opens to an archive, from which `tidegate store import` makes a store.
// Neither LMDB nor the chain of the journal's blobs is used, since a damaged number would lead them astray. Rows are
// found page by page and blobs block by block, and each is accepted by its own CRC-32C.
//
// What is missing is recorded in the new store's loss ledger. If acknowledgements or committed offsets are lost,
// messages are delivered again.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "broker/store/offline/exporting.hpp"

namespace tidegate::store::offline {

struct salvage_report {
  archive_counts counts;
  std::uint64_t records_missing = 0;    // of all streams
  std::uint64_t pages = 0;              // of data.mdb
  std::uint64_t pages_passed_over = 0;  // see page_walk_result
  std::uint64_t pages_out_of_tree = 0;  // see page_walk_result
  std::uint64_t blobs = 0;              // whole blobs in the journal
  std::uint64_t blobs_damaged = 0;
  // Sentences about what is missing or was left out, at most `missing_max`; `more` counts the rest.
  std::vector<std::string> missing;
  std::uint64_t more = 0;
};
constexpr std::size_t missing_max = 1'000;

// Either file may be missing. Throws storage_failure if nothing can be found, a broker runs on it, or the archive
// cannot be written. `step`, if set, is called with the place of the work and the bytes of the archive so far.
salvage_report salvage_store(const std::filesystem::path& directory, std::ostream& out, const transfer_step& step = {});

}  // namespace tidegate::store::offline
