// The loss ledger: confirmed messages that were dropped, and messages that never arrived. Its newest rows are in the
// journal and in memory. The others are in the loss table, whose oldest rows are erased when there are too many. Each
// stream's totals stay.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "broker/store/format.hpp"
#include "broker/store/lmdb.hpp"

namespace tidegate::store {

class losses {
 public:
  // Registers a row that a start found in the table, or in the journal's blob of `commit` and possibly not in the
  // table.
  void found(loss_number number) { next_ = std::max(next_, number + 1); }
  void found(loss_number number, const loss_record& record, commit_number commit);

  // Returns the highest number that a row has had; 0 = none. Numbers rise by one.
  loss_number newest() const { return next_ - 1; }

  // Adds a drop: as a new row, or to the stream's newest row for this reason if that one has the same source, adjoins
  // the drop or is of single messages, and is less than an hour old. `lifetime`: age of the store at the drop.
  void note(const loss_record& record, milliseconds lifetime, commit_number commit);

  // Ends the stream's newest rows, which no later drop extends. Call when the stream is dropped.
  void close(stream_id stream);

  // Returns the rows that changed since the last call.
  std::map<loss_number, loss_record> take_changed();

  // Returns the oldest commit with a row that is not in the table yet; 0 = none.
  commit_number dirty_since() const { return dirty_since_; }
  // Writes into the table the rows that only blobs up to `through` hold. Erases the oldest rows above `rows_max`.
  void put(lmdb::txn& txn, lmdb::table table, commit_number through, std::uint64_t rows_max);
  // Returns the rows that are not in the table, or newer than there, by number.
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
  std::map<std::pair<stream_id, loss_reason>, open_row> open_;  // rows that may still grow
  std::map<loss_number, loss_record> changed_;  // since take_changed(); some may be in the table already
  commit_number dirty_since_ = 0;
};

}  // namespace tidegate::store
