// Puts a stream together from the whole chunks, batches and rows of a damaged store.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "broker/store/chunk.hpp"
#include "broker/store/ledger.hpp"
#include "broker/store/offline/scattered_bytes.hpp"

namespace tidegate::store::offline {

// The place where records were found: in what the store uses, or in an old copy that nothing refers to any more.
enum class origin { in_use, old_copy };

class salvaged_stream {
 public:
  explicit salvaged_stream(const checkpoint& state);

  // The stream's state as far as it is known. Entries of blobs are applied to it.
  stream_ledger ledger;
  // Commit of the checkpoint. Later blobs are newer.
  commit_number known_through = 0;
  // The log start is known, from a checkpoint or from the blob that created the stream. Otherwise it is the first
  // record that is found.
  bool has_start = false;

  // Call when something whole names an offset below this one: the offset was used.
  void raise_end(offset_t end) { ledger.next = std::max(ledger.next, end); }
  void take_block(std::uint64_t block, const ack_block& found);
  // Adds the records that are not there yet; damaged batches are skipped. Call with what is in use before old copies.
  // `bytes`: of the chunk, or of the batch; they outlive this object.
  void offer(const chunk_view& chunk, const scattered_bytes& bytes, origin origin);
  void offer(const batch_view& batch, const scattered_bytes& bytes, origin origin);

  // Finds the stream's start and end, and returns the missing offsets. A queue's missing messages count as acknowledged
  // from then on. Call after all offers.
  std::vector<offset_range> close();

  // Calls `take` with each batch, in order. Call after close().
  void each_batch(const std::function<void(std::string_view)>& take) const;
  // Estimates the bytes of the batches, as they are stored.
  std::uint64_t batch_bytes() const;

 private:
  struct kept_batch {
    offset_t last = 0;
    scattered_bytes found;
    std::string rebuilt = {};  // a batch made of a part of a found one; empty = the found one is used
    std::string text() const { return rebuilt.empty() ? found.text() : rebuilt; }
  };
  void add(const batch_view& batch, kept_batch kept);
  void add_rest(const batch_view& batch);
  std::vector<offset_range> missing() const;
  void count_held_bytes();

  std::map<offset_t, kept_batch> batches_;
  offset_set covered_;             // offsets that were found, or that whole chunks cover although they lack them
  std::optional<offset_t> first_;  // of the records in use
};

}  // namespace tidegate::store::offline
