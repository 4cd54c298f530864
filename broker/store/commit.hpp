// A commit on its way: what it writes down in its blob, and whom it touched. One object per attempt.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "broker/store/blob.hpp"
#include "broker/store/books.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// Share of the map above which logs lose their oldest records although they are within their own bounds.
constexpr double keep_below = 0.70;

class commit {
 public:
  // Takes the next number. `about`: bytes that its group brings.
  commit(lmdb::env& env, books& books, std::size_t about)
      : env_(env), books_(books), number_(++books.last_commit), blob_(number_, books.time, about) {}

  commit_number number() const { return number_; }
  blob_writer& blob() { return blob_; }
  // The tables as they are, for those who look something up.
  const lmdb::txn& reading() {
    if (!reading_) reading_.emplace(env_, lmdb::access::read);
    return *reading_;
  }
  void end_reading() { reading_.reset(); }

  void touch(stream_id id) {
    if (touched_.empty() || touched_.back() != id) touched_.push_back(id);
  }
  void dropped(stream_id id);
  // A batch that stands in the blob.
  void added(stream_id id, const segment& segment) { added_.emplace_back(id, segment); }
  // A loss, which goes to the stream's totals and into the ledger of losses.
  void lose(loss_record record);
  // Entries for what was lost since this was called last.
  void tell_losses();
  // The log start moved on from there.
  void tell_trim(stream_id id, stream_ledger& ledger, offset_t before);
  // Batches stand in the ring from here on; their places were counted from the blob's beginning.
  void placed(ring_position position);

  // Sorted, each once.
  std::vector<stream_id> touched();
  bool is_empty() const { return touched_.empty() && dropped_.empty(); }
  const std::vector<stream_id>& dropped_streams() const { return dropped_; }
  const std::vector<std::pair<stream_id, segment>>& added_batches() const { return added_; }
  const std::map<loss_number, loss_record>& losses() const { return losses_; }

 private:
  lmdb::env& env_;
  books& books_;
  commit_number number_;
  blob_writer blob_;
  std::optional<lmdb::txn> reading_;
  std::vector<stream_id> touched_;  // with repetitions
  std::vector<stream_id> dropped_;
  std::vector<std::pair<stream_id, segment>> added_;
  std::map<loss_number, loss_record> losses_;
};

}  // namespace tidegate::store
