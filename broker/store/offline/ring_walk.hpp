// Finds the whole blobs in a damaged journal.ring, for `tidegate store salvage`. A start follows the chain of blobs
// from the head and stops where the chain breaks. This walk reads every block, so it also finds the blobs after a
// damaged one, and those of earlier laps that were not overwritten yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/store/ring.hpp"

namespace tidegate::store::offline {

struct found_blob {
  blob_head head;
  std::string_view bytes;  // valid as long as the file's bytes
  std::uint64_t at = 0;    // place in the file
};

struct ring_walk_result {
  std::vector<ring_header> headers;  // whole ones, two at most, newest first
  std::vector<found_blob> blobs;     // ordered by commit
  // Blocks that start with a blob's magic but hold no whole blob of this ring: damaged, torn or partly overwritten.
  std::uint64_t damaged_blobs = 0;
};

// Returns the headers and blobs that are found in the ring's bytes. Reads nothing outside of `file`, which may be cut
// short. `known_id`: the ring's id from the tables, used if both headers are damaged. Without any id a blob cannot be
// distinguished from other bytes, and none is returned.
ring_walk_result walk_ring(std::string_view file, const std::optional<ring_id>& known_id = std::nullopt);

}  // namespace tidegate::store::offline
