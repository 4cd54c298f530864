// Turns a commit group into one blob of the journal, written and synced. Then, if a step of the tables is due, brings
// the tables up to date. Plain functions on one thread; writer_thread.hpp is that thread.
//
//   group -> commit (memory) -> ring: one write, one sync -> step of the tables, if one is due -> result
//
// A step follows the commit, so the tables never hold what the ring might not. Space that a step frees in the ring is
// used from the next commit on: until then the broker thread does not know of the step, and may read there.
#pragma once

#include <boost/container/small_vector.hpp>
#include <functional>
#include <vector>

#include "broker/base/limits.hpp"
#include "broker/store/books.hpp"
#include "broker/store/commit.hpp"
#include "broker/store/commit_group.hpp"
#include "broker/store/table_step.hpp"

namespace tidegate::store {

// Number of commits in which rows are single pages, after LMDB found no run of free pages. Then longer rows are tried
// again.
constexpr std::uint32_t commits_page_by_page = 256;

// Share of the map above which the writer stores no more records: the rest is for deletes, which need fresh pages
// themselves. Core refuses publishes earlier, at refuse_above; this bound is for groups that were gathered before.
constexpr double store_none_above = 0.90;

struct writer_options {
  std::uint64_t journal_bytes_max = 32ull << 20;  // size of the ring; a larger one takes longer to replay at a start
  std::uint64_t loss_rows_max = limits::loss_rows;
  // For tests: asked at each commit with records; true makes the records void as a full map would.
  std::function<bool()> refuses_records = {};
};

// A stream's state after a commit, and the batches that the commit added.
struct stream_update : stream_state {
  stream_update() = default;
  stream_update(stream_id stream, const stream_state& state) : stream_state(state), stream(stream) {}

  stream_id stream{};
  boost::container::small_vector<segment, 1> added;
  bool dropped = false;
};

struct commit_result {
  commit_number commit = 0;
  std::uint64_t snapshot = 0;  // LMDB's number of the last commit to its file
  bool appends_stored = true;  // false = no room for records: they, and what is tied to them, are void
  bool work_left = false;      // chunks remain to be freed: another commit does so, even an empty one
  std::vector<stream_update> streams;
  std::map<loss_number, loss_record> losses;  // rows that are new or changed
  commit_number losses_since = 0;             // oldest commit with a row that is not in the table; 0 = none
  std::uint64_t journal_bytes = 0;
  std::uint64_t bytes_written = 0;  // to the ring, plus the payload passed to LMDB; 0 = there was nothing to commit
  lmdb::page_use pages;             // including room that is kept for what only the journal has
};

class writer {
 public:
  writer(lmdb::env& env, const tables& tables, ring& journal, books books, writer_options options);

  // Commits the group, then makes the steps that are due. Throws storage_failure if the store cannot continue: nothing
  // may be confirmed after that.
  commit_result apply(commit_group& group);
  // Writes everything into the tables, so that the next start has nothing to replay. `rows`:
  // memory_streams::final_rows().
  void checkpoint_all(const std::vector<stream_change>& rows);
  books& state() { return books_; }

 private:
  // Returns whether something has to be written.
  bool make(commit_group& group, commit& now);
  commit_result attempt(commit_group& group);
  void write(commit& now);
  void write_through_tables(commit& now);
  void change_stream(const stream_change& change, commit& now);
  void take_facts(const commit_group& group, commit& now);
  void take_fact(const std::string& name, std::optional<std::string> value, commit& now);
  void take_share(stream_share& share, commit& now);
  void journal_share(stream_share& share, stream_ledger& ledger, commit& now);
  void take_marks(stream_share& share, stream_ledger& ledger, commit& now);
  void note_due(stream_id id, stream_ledger& ledger);
  bool has_room_for(const commit_group& group) const;
  // Makes the step that is due, if any; more of them while the ring is over half full and they make progress.
  void keep_up(commit& now, bool is_idle);
  bool is_step_due(bool is_idle) const;
  void step(commit& now, bool only_frees);
  void take_note_of(const table_step& step, commit& now);
  bool work_left() const;
  bool has_chunks_to_free() const;
  step_bounds bounds() const;
  bool shorten_rows();
  void read_books_again();
  lmdb::page_use pages() const;
  commit_result result_of(commit& now, bool is_written);

  lmdb::env& env_;
  tables tables_;
  ring& journal_;
  books books_;
  writer_options options_;
  lmdb::page_use pages_;  // of the tables only
  std::uint64_t snapshot_;
  std::uint64_t bytes_written_ = 0;  // by this commit
  std::uint64_t bytes_since_step_ = 0;
  bool is_stuck_ = false;              // the last step found no room
  std::vector<chunk_repack> repacks_;  // of this commit
  std::size_t row_bytes_ = row_bytes;
  std::uint32_t page_by_page_left_ = 0;  // commits left that write page by page
};

}  // namespace tidegate::store
