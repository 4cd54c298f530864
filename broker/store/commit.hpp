// A commit that is being made: its blob, and the streams it changed. One object for each attempt.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "broker/store/blob.hpp"
#include "broker/store/books.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

// Share of the map above which logs drop their oldest records even within their own bounds.
constexpr double keep_below = 0.70;

class commit {
 public:
  // Gives the commit the next number. `about`: estimated bytes of the commit group.
  commit(lmdb::env& env, books& books, std::size_t about)
      : env_(env), books_(books), number_(++books.last_commit), blob_(number_, books.time, about) {}

  commit_number number() const { return number_; }
  blob_writer& blob() { return blob_; }
  // Returns a transaction that reads the tables as they are. Opened at the first call.
  const lmdb::txn& reading() {
    if (!reading_) reading_.emplace(env_, lmdb::access::read);
    return *reading_;
  }
  void end_reading() { reading_.reset(); }

  void touch(stream_id id) {
    if (touched_.empty() || touched_.back() != id) touched_.push_back(id);
  }
  void dropped(stream_id id);
  // Records a batch that was put into the blob.
  void added(stream_id id, const segment& segment) { added_.emplace_back(id, segment); }
  // Adds a loss to the loss ledger with the commit's time and, unless the reason is `damaged` or `device`, to its
  // stream's totals.
  void lose(loss_record record);
  // Writes entries for the losses since the last call.
  void tell_losses();
  // Writes an entry if the log start moved from `before`.
  void tell_trim(stream_id id, stream_ledger& ledger, offset_t before);
  // Turns the batches' positions, counted from the blob's start, into positions in the ring. `position`: the blob's.
  void placed(ring_position position);

  // Returns the changed streams, sorted, each once.
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
  std::vector<stream_id> touched_;  // may have repetitions
  std::vector<stream_id> dropped_;
  std::vector<std::pair<stream_id, segment>> added_;
  std::map<loss_number, loss_record> losses_;
};

}  // namespace tidegate::store
