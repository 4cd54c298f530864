// A stream as it comes together from what is whole of a damaged store.
#pragma once

#include <map>
#include <string>

#include "broker/store/chunk.hpp"
#include "broker/store/ledger.hpp"

namespace tidegate::store::offline {

class salvaged_stream {
 public:
  explicit salvaged_stream(const checkpoint& state);

  // Its state as far as it is known; what blobs say goes in here.
  stream_ledger ledger;
  // Of the checkpoint: what later blobs say is newer.
  commit_number known_through = 0;
  // Known from a checkpoint or from the blob that made it; otherwise its log start is where its records begin.
  bool has_start = false;

  void take_block(std::uint64_t block, const ack_block& found);
  // Takes what is not there yet. What is damaged is passed over.
  void offer(const chunk_view& chunk);
  void offer(const batch_view& batch);

  // All offers have been made: finds out where it begins and ends, and what is missing. A queue's missing messages
  // count as acknowledged from now on.
  std::vector<offset_range> close();

  // Behind close(): what is there, by first offset.
  const std::map<offset_t, std::string>& batches() const { return batches_; }

 private:
  void add(offset_range covered, std::string batch);

  std::map<offset_t, std::string> batches_;
  offset_set covered_;  // there, or gone by right
};

}  // namespace tidegate::store::offline
