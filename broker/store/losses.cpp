#include "broker/store/losses.hpp"

#include <algorithm>

#include "broker/store/rows.hpp"

namespace tidegate::store {
namespace {

// A row covers at most this time, so that the ledger shows when something was lost.
constexpr milliseconds row_time_max = std::chrono::hours(1);

}  // namespace

void losses::found(loss_number number, const loss_record& record, commit_number commit) {
  found(number);
  set_dirty(number, record, commit);
}

void losses::set_dirty(loss_number number, const loss_record& record, commit_number commit) {
  row& row = dirty_[number];
  row = {record, row.since == 0 ? commit : row.since};
  if (dirty_since_ == 0) dirty_since_ = commit;
}

bool losses::adjoins(const loss_record& open, const loss_record& more) {
  const bool is_next = open.end == more.first || is_of_single_messages(more.reason);
  return open.source == more.source && is_next && open.wall_trusted == more.wall_trusted;
}

void losses::note(const loss_record& record, milliseconds lifetime, commit_number commit) {
  open_row& open = open_[{record.stream, record.reason}];
  if (open.number != 0 && adjoins(open.record, record) && lifetime - open.opened < row_time_max) {
    open.record.first = std::min(open.record.first, record.first);
    open.record.end = std::max(open.record.end, record.end);
    open.record.records += record.records;
    open.record.unread += record.unread;
    open.record.bytes += record.bytes;
    open.record.until = record.until;
  } else {
    open = {next_++, record, lifetime};
  }
  set_dirty(open.number, open.record, commit);
  changed_[open.number] = open.record;
  if (record.reason == loss_reason::deleted) close(record.stream);
}

void losses::close(stream_id stream) {
  std::erase_if(open_, [&](const auto& open) { return open.first.first == stream; });
}

std::map<loss_number, loss_record> losses::take_changed() { return std::exchange(changed_, {}); }

void losses::put(lmdb::txn& txn, lmdb::table table, commit_number through, std::uint64_t rows_max) {
  if (dirty_since_ == 0 || dirty_since_ > through) return;
  commit_number oldest_left = 0;
  std::erase_if(dirty_, [&](const auto& dirty) {
    const auto& [number, row] = dirty;
    if (row.since > through) {
      oldest_left = oldest_left == 0 ? row.since : std::min(oldest_left, row.since);
      return false;
    }
    put_row(txn, table, loss_key(number), encode(row.record));
    return true;
  });
  dirty_since_ = oldest_left;
  lmdb::cursor oldest(txn, table);
  for (std::uint64_t rows = txn.entries(table); rows > rows_max && oldest.first(); --rows) oldest.erase();
}

std::map<loss_number, loss_record> losses::fresh() const {
  std::map<loss_number, loss_record> rows;
  for (const auto& [number, row] : dirty_) rows.emplace(number, row.record);
  return rows;
}

}  // namespace tidegate::store
