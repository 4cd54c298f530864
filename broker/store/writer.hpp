// Turns a commit_group into one synced LMDB transaction. Plain functions on one thread; store.cpp gives it a thread.
#pragma once

#include <boost/container/small_vector.hpp>
#include <vector>

#include "broker/base/limits.hpp"
#include "broker/store/blob.hpp"
#include "broker/store/books.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/commit_group.hpp"

namespace tidegate::store {

// Freed by one commit at the most: a bounded delay for those who wait for it.
constexpr std::uint64_t freed_bytes_per_commit = 4ull << 20;
// The same while rows are single pages, and while there is no room for records. LMDB notes the freed pages' numbers in
// one value: 509 fit a page. One chunk or commit, and the pages of the tables, come on top.
constexpr std::uint64_t freed_bytes_page_by_page = 800 * 1024;
constexpr std::uint64_t freed_bytes_without_room = 256 * 1024;

// So long rows are single pages once there was no run of free ones; then longer ones are tried again.
constexpr std::uint32_t commits_page_by_page = 256;

// Moved from the journal into chunks by one commit at the most, besides streams that wait no longer: a bounded delay
// for those who wait for the commit.
constexpr std::uint64_t rolled_up_bytes_per_commit = 1 << 20;

// Share of the map above which the writer stores no more records, whoever sends them: what is left is for deletes,
// which need fresh pages themselves. Core stops earlier, at refuse_above; this is for groups that were gathered before.
constexpr double store_none_above = 0.90;

// Share of the map above which logs lose their oldest records although they are within their own bounds.
constexpr double keep_below = 0.70;

struct writer_options {
  std::uint64_t journal_bytes_max = 32ull << 20;  // replayed at start: that is what it costs
  std::uint64_t loss_rows_max = limits::loss_rows;
};

// How a stream stands after a commit, and what that brought.
struct stream_update : stream_state {
  stream_update() = default;
  stream_update(stream_id stream, const stream_state& state) : stream_state(state), stream(stream) {}

  stream_id stream{};
  boost::container::small_vector<segment, 1> added;
  bool dropped = false;
};

struct commit_result {
  commit_number commit = 0;
  std::uint64_t snapshot = 0;  // LMDB's number of the last commit to the file
  bool appends_stored = true;  // false: the map was full; everything else in the group is stored
  bool work_left = false;      // chunks to free remain: another commit is welcome, even an empty one
  std::vector<stream_update> streams;
  std::map<loss_number, loss_record> losses;  // new, or grown
  commit_number losses_since = 0;             // oldest commit with a row that is not in the table; 0 = none
  std::uint64_t journal_bytes = 0;
  std::uint64_t bytes_written = 0;  // payload handed to LMDB; 0 = there was nothing to commit
  lmdb::page_use pages;
};

class writer {
 public:
  writer(lmdb::env& env, const tables& tables, books books, writer_options options);

  // Throws storage_failure when the store cannot go on; nothing may be confirmed after that.
  commit_result apply(commit_group& group);
  // Brings every stream and state into the tables, so that the next start has nothing to apply; `rows` are those of
  // streams in memory.
  void checkpoint_all(const std::vector<stream_change>& rows);
  // After that: frees the journal but for its last blob, as far as there is room for it.
  void empty_journal();
  books& state() { return books_; }

 private:
  commit_result attempt(commit_group& group);
  commit_result attempt_without_appends(commit_group& group);
  bool shorten_rows();
  bool work_left() const;
  std::uint64_t freed_bytes_max() const;
  bool may_free_more() const { return freed_bytes_ < freed_bytes_max(); }
  void checkpoint_streams_and_states(const std::vector<stream_change>& rows);
  void free_chunks(lmdb::txn& txn);
  commit_result result_now();
  void read_books_again();
  void change_stream(lmdb::txn& txn, const stream_change& change);
  void reserve_offsets(lmdb::txn& txn, const stream_change& change);
  void keep_stream_id(lmdb::txn& txn, stream_id id);
  void take_share(lmdb::txn& txn, stream_share& share, blob_writer& blob);
  bool goes_to_chunks(const stream_ledger& ledger, const stream_share& share, std::size_t incoming) const;
  void admit(stream_share& share, stream_ledger& ledger);
  void take_marks(stream_share& share, stream_ledger& ledger, blob_writer& blob);
  void journal_share(stream_share& share, stream_ledger& ledger, blob_writer& blob);
  void take_states(lmdb::txn& txn, const commit_group& group, blob_writer& blob);
  void put_blob(lmdb::txn& txn, blob_writer& blob);
  void checkpoint_stream(lmdb::txn& txn, stream_id id, stream_ledger& ledger, const stream_share* share);
  void put_checkpoint(lmdb::txn& txn, stream_id id, stream_ledger& ledger, commit_number commit);
  void put_chunk_bytes(lmdb::txn& txn);
  void put_blocks(lmdb::txn& txn, stream_id id, stream_ledger& ledger);
  void keep_limits(lmdb::txn& txn, stream_id id, stream_ledger& ledger, std::uint64_t incoming, blob_writer& blob);
  void tell_trim(stream_id id, stream_ledger& ledger, offset_t before, blob_writer& blob);
  void keep_count(lmdb::txn& txn, stream_id id, stream_ledger& ledger);
  void mark_age(stream_id id, stream_ledger& ledger, blob_writer& blob);
  void expire(lmdb::txn& txn, blob_writer& blob);
  void drop_old(lmdb::txn& txn, stream_id id, stream_ledger& ledger);
  void drop_excess(lmdb::txn& txn, stream_id id, stream_ledger& ledger, std::uint64_t incoming);
  void relieve(lmdb::txn& txn, blob_writer& blob);
  std::optional<stream_id> largest_droppable(const lmdb::txn& txn, bool also_unread) const;
  static offset_t head_end(const stream_ledger& ledger);
  offset_t read_by_protected(const lmdb::txn& txn, stream_id id, const stream_ledger& ledger) const;
  // By the slowest of the groups that a protected name means; 0 = none has committed anything.
  offset_t read_by(const lmdb::txn& txn, stream_id id, const std::string& name) const;
  void drop_head_while(lmdb::txn& txn, stream_id id, stream_ledger& ledger, loss_reason reason,
                       const std::function<bool(std::uint64_t dropped)>& goes_on);
  bool drop_head(lmdb::txn& txn, stream_id id, stream_ledger& ledger);
  void drop_below(const lmdb::txn& txn, stream_id id, stream_ledger& ledger, offset_t offset, loss_reason reason);
  void note_drop(stream_id id, offset_range dropped, offset_t read, std::uint64_t bytes, loss_reason reason);
  void note_loss(loss_record record);
  void put_losses(blob_writer& blob);
  void put_late_losses(lmdb::txn& txn, blob_writer& blob);
  void let_go_of_read(lmdb::txn& txn, stream_id id, stream_ledger& ledger, blob_writer& blob);
  void free_dead_chunks(lmdb::txn& txn, stream_id id, stream_ledger& ledger);
  void free_dead_chunks(lmdb::txn& txn, stream_id id, stream_ledger& ledger, offset_range within);
  void free_chunk(chunk_cursor& chunks, stream_id id, stream_ledger& ledger);
  void free_dead_chunks_later(stream_id id, const stream_ledger& ledger);
  void free_head_chunks(lmdb::txn& txn);
  void free_dropped(lmdb::txn& txn);
  void erase_cursors(lmdb::txn& txn, stream_id id);
  void bound_journal(lmdb::txn& txn);
  void checkpoint_streams(lmdb::txn& txn, commit_number through, bool urgent);
  void checkpoint_states(lmdb::txn& txn, commit_number through);
  void trim_journal(lmdb::txn& txn);
  commit_number oldest_needed() const;
  void touch(stream_id id);
  void tell_touched(commit_result& result);

  lmdb::env& env_;
  tables tables_;
  books books_;
  writer_options options_;
  std::vector<stream_id> touched_;  // with repetitions
  std::set<stream_id> resized_;     // lost chunks: their rows say how many bytes remain
  std::vector<std::pair<stream_id, segment>> added_;
  std::vector<stream_id> dropped_now_;
  std::map<loss_number, loss_record> changed_losses_;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t freed_bytes_ = 0;  // whole pages
  std::uint64_t rolled_up_bytes_ = 0;
  lmdb::page_use pages_;
  std::uint64_t snapshot_;
  std::size_t row_bytes_ = row_bytes;
  std::uint32_t page_by_page_left_ = 0;  // commits
  bool is_lean_ = false;                 // the map is full: nothing is written that can wait
};

}  // namespace tidegate::store
