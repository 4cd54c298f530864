// The writer's state of a queue's single messages above the log start: which are acknowledged, and how often the
// requeued ones were delivered. The state table keeps the same in blocks of offsets_per_block offsets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "broker/store/format.hpp"
#include "broker/store/offset_set.hpp"

namespace tidegate::store {

struct queue_marks {
  offset_set acked;
  std::map<offset_t, std::uint32_t> deliveries;  // counted for requeued messages
  std::set<std::uint64_t> dirty_blocks;          // numbers of blocks that differ from their row
  std::set<std::uint64_t> stored_blocks;         // numbers of blocks that have a row
  offset_set blocks_to_thin;                     // numbers of blocks that may lie in chunks without a live message
  offset_t thinned_to = 0;                       // where the last table step stopped thinning

  // Marks the range as acknowledged. Returns how many of its offsets were not acknowledged before.
  std::uint64_t ack(offset_range range);
  void set_deliveries(offset_t offset, std::uint32_t count);
  // Forgets offsets below the log start. Rows in the state table stay in `stored_blocks`.
  void erase_below(offset_t log_start);
  // Returns the blocks around this one in which every offset is acknowledged; empty if this one is not such a block.
  offset_range full_blocks(std::uint64_t number) const;
  // Returns the block with this number, as it is stored in its row.
  ack_block block(std::uint64_t number) const;
  // Returns the first block, from this number on, with an acknowledged or counted offset.
  std::optional<std::uint64_t> next_block(std::uint64_t number) const;
  // Returns whether nothing is marked, and no row has to be written or erased.
  bool empty() const;
};

}  // namespace tidegate::store
