// Makes a new store from an archive. The new store has the offsets and marks of the old one: acknowledged messages stay
// acknowledged, records below a log start stay gone, and messages that may have been delivered are delivered as
// redelivered.
#pragma once

#include <filesystem>
#include <optional>

#include "broker/store/offline/exporting.hpp"
#include "broker/store/offline/inspection.hpp"

namespace tidegate::store::offline {

// The directory of a store that is being made. Removes everything again unless keep() is called.
class new_store_place {
 public:
  // Throws storage_failure if the directory has anything in it.
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
  std::optional<std::uint64_t> bytes_max = {};  // size of the new store; none = as large as the old one
  // True = the old store will not be used again. Otherwise both stores may run and give the same offsets to different
  // records, so the new one gets another incarnation, which the centre treats as another log.
  bool keeps_incarnation = false;
};

struct import_outcome {
  archive_counts counts;
  inspection found;  // of the new store, which is not damaged
};

// Makes the store in `place`; the caller calls keep(). Holds one batch and one chunk at a time, and commits every few
// megabytes. Until the last commit, a broker refuses to start on the store. Throws storage_failure, also if the check
// of the new store finds damage.
import_outcome import_archive(std::istream& in, const new_store_place& place, const import_options& options = {},
                              const transfer_step& step = {});

}  // namespace tidegate::store::offline
