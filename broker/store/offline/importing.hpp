// A new store out of an archive, with the offsets and the marks of the old one: what was acknowledged stays so, what
// lies below a log start stays gone, what may have been delivered is delivered as redelivered.
#pragma once

#include <filesystem>
#include <optional>

#include "broker/store/offline/exporting.hpp"
#include "broker/store/offline/inspection.hpp"

namespace tidegate::store::offline {

// The directory of a store that is being made. Unless kept in the end, all of it goes again.
class new_store_place {
 public:
  // Throws storage_failure where something is there already.
  explicit new_store_place(std::filesystem::path directory);
  new_store_place(const new_store_place&) = delete;
  new_store_place& operator=(const new_store_place&) = delete;
  ~new_store_place();

  const std::filesystem::path& directory() const { return directory_; }
  void keep() { is_kept_ = true; }

 private:
  std::filesystem::path directory_;
  bool existed_ = false;
  bool is_kept_ = false;
};

struct import_options {
  std::optional<std::uint64_t> bytes_max = {};  // the new store's size; none: as large as the old one
  // The old store will not be used again. Otherwise both may live and give the same offsets to different records, so
  // the new one is another incarnation, which the centre takes for another log.
  bool keeps_incarnation = false;
};

struct import_outcome {
  archive_counts counts;
  inspection found;  // of the new store, which is not damaged
};

// Fills the place; keeping it is the caller's. Holds one batch and one chunk at a time; commits every few megabytes,
// and until the last commit no broker starts on it. Throws storage_failure.
import_outcome import_archive(std::istream& in, const new_store_place& place, const import_options& options = {},
                              const transfer_step& step = {});

}  // namespace tidegate::store::offline
