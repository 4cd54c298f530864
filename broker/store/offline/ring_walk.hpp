// Finds the whole blobs in a damaged journal.ring, for `tidegate store salvage`. A start follows the chain of blobs
// from the head and ends where the chain breaks. Here every block is looked at, so the blobs behind a damaged one are
// found, and those of earlier laps that were not overwritten yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/store/ring.hpp"

namespace tidegate::store::offline {

struct found_header {
  std::uint32_t format = 0;  // may be another one than this version's
  ring_id id{};
  std::uint64_t generation = 0;
  std::uint64_t file_bytes = 0;  // as it was made: the file may have been cut short since
  std::uint64_t block_bytes = 0;
};

struct found_blob {
  blob_head head;
  std::string_view bytes;  // lasts as long as the file's
  std::uint64_t at = 0;    // in the file
};

struct ring_walk_result {
  std::vector<found_header> headers;  // the whole ones, two at most, newest first
  std::vector<found_blob> blobs;      // by commit
  // Blocks that begin with a blob's magic, and no whole blob of this ring: damaged, torn or partly overwritten.
  std::uint64_t damaged_blobs = 0;
};

// Returns what is found in the ring's bytes. Reads nothing outside of `file`, which may be cut short. `known_id` is the
// ring's id as the tables name it, and used where both headers are damaged. Without any id a blob cannot be told from
// other bytes, and none is returned.
ring_walk_result walk_ring(std::string_view file, const std::optional<ring_id>& known_id = std::nullopt);

}  // namespace tidegate::store::offline
