// The loss ledger: what was dropped although it had been confirmed, or never came. Its newest rows are in the journal
// and here; the rest is in the loss table, whose oldest rows go when there are too many. Each stream's totals stay.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "broker/store/format.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

class losses {
 public:
  // Found in the table, or in the journal (of that commit) and not known to be in the table.
  void found(loss_number number) { next_ = std::max(next_, number + 1); }
  void found(loss_number number, const loss_record& record, commit_number commit);

  // The highest number that a row has had; 0 = none. Numbers rise by one.
  loss_number newest() const { return next_ - 1; }

  // A new row, or more of the stream's newest one: for the same reason, adjoining, and not older than an hour.
  // `record` tells one drop; the store was so old when it happened.
  void note(const loss_record& record, milliseconds lifetime, commit_number commit);

  // The stream is dropped: none of its rows grows any more.
  void close(stream_id stream) { open_.erase(stream); }

  // Rows that changed since this was asked last.
  std::map<loss_number, loss_record> take_changed();

  // The oldest commit that holds a row which is not in the table yet; 0 = none.
  commit_number dirty_since() const { return dirty_since_; }
  // Into the table: what only the blobs up to that commit hold. Erases the oldest rows above `rows_max`.
  void put(lmdb::txn& txn, lmdb::table table, commit_number through, std::uint64_t rows_max);
  // Newer than the table, by number.
  std::map<loss_number, loss_record> fresh() const;

 private:
  struct row {
    loss_record record;
    commit_number since = 0;
  };
  struct open_row {
    loss_number number = 0;
    loss_record record;
    milliseconds opened{0};
  };
  static bool adjoins(const loss_record& open, const loss_record& more);
  void set_dirty(loss_number number, const loss_record& record, commit_number commit);

  loss_number next_ = 1;
  std::map<loss_number, row> dirty_;
  std::map<stream_id, open_row> open_;          // may still grow
  std::map<loss_number, loss_record> changed_;  // may be in the table already
  commit_number dirty_since_ = 0;
};

}  // namespace tidegate::store
