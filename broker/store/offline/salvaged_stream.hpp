// A stream as it is put together from what is whole of a damaged store.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "broker/store/chunk.hpp"
#include "broker/store/ledger.hpp"
#include "broker/store/offline/scattered_bytes.hpp"

namespace tidegate::store::offline {

// Where records are found: in what the store uses, or in an old copy that nothing leads to any more.
enum class origin { in_use, old_copy };

class salvaged_stream {
 public:
  explicit salvaged_stream(const checkpoint& state);

  // Its state as far as it is known; what blobs say goes in here.
  stream_ledger ledger;
  // Commit of the checkpoint: later blobs are newer.
  commit_number known_through = 0;
  // Known from a checkpoint or from the blob that made it; otherwise its log start is where its records begin.
  bool has_start = false;

  // Something whole names an offset below this one, so the offset was used.
  void raise_end(offset_t end) { ledger.next = std::max(ledger.next, end); }
  void take_block(std::uint64_t block, const ack_block& found);
  // Takes what is not there yet; damaged batches are passed over. What is in use comes before old copies. `bytes`: of
  // the chunk, or of the batch; they last as long as this.
  void offer(const chunk_view& chunk, const scattered_bytes& bytes, origin origin);
  void offer(const batch_view& batch, const scattered_bytes& bytes, origin origin);

  // After all offers: finds out where the stream begins and ends, and returns what is missing. A queue's missing
  // messages count as acknowledged from then on.
  std::vector<offset_range> close();

  // After close(): calls `take` with each batch, in order.
  void each_batch(const std::function<void(std::string_view)>& take) const;
  // About: as they are stored.
  std::uint64_t batch_bytes() const;

 private:
  struct kept_batch {
    offset_t last = 0;
    scattered_bytes found;
    std::string rebuilt = {};  // of a part of what was found; otherwise empty
    std::string text() const { return rebuilt.empty() ? found.text() : rebuilt; }
  };
  void add(const batch_view& batch, kept_batch kept);
  void add_rest(const batch_view& batch);
  std::vector<offset_range> missing() const;
  void count_held_bytes();

  std::map<offset_t, kept_batch> batches_;
  offset_set covered_;             // there, or gone by right
  std::optional<offset_t> first_;  // of the records in use
};

}  // namespace tidegate::store::offline
