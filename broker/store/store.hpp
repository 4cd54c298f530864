// The store as the broker sees it: a group being filled, a writer that takes it, a reader. One thread calls all of it
// but for the notice, which comes on the writer's thread.
//
// What streams in memory are given goes into groups of its own, which no writer sees: into one that may be applied at
// any time, or, if it must not be there before something that waits for a commit, into one that rides on the open
// group's commit.
//
//   open group ---- writer: commit ----> result
//   riding group ------ waits -----------> applied with it; without its records where the commit had no room for any
//   memory group ---> applied by apply_memory(), before anything that rides
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/base/clock.hpp"
#include "broker/base/limits.hpp"
#include "broker/store/commit_group.hpp"
#include "broker/store/memory_streams.hpp"
#include "broker/store/new_file.hpp"
#include "broker/store/reader.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {

struct store_options {
  std::filesystem::path directory;
  std::uint64_t bytes_max = 1ull << 30;  // the map, and the size of the file
  writer_options writer;
  // Tests leave it off and call step().
  bool own_thread = true;
  // A file that cannot be used is renamed, and an empty store takes its place; otherwise the start fails.
  bool sets_damaged_aside = false;
  // Of streams that live in memory, together, with all that keeps their records; 0: there is to be none.
  std::uint64_t memory_bytes_max = limits::memory_bytes_max;
};

// Share of the map that may hold something before publishes are refused. Acknowledgements, deletes and cursors need
// fresh pages to free others (LMDB copies what it changes), and keep the rest for that.
constexpr double refuse_above = 0.80;

class store {
 public:
  // Opens or makes the store: takes the directory's lock, checks the format, fills the file to its full size when it
  // is new (so the disk cannot run out later), replays the journal. Throws storage_failure.
  explicit store(store_options options);
  store(const store&) = delete;
  store& operator=(const store&) = delete;
  // Ends the writer thread after what it has begun; the file stays as a killed process would leave it.
  ~store();

  // What was there at the start.
  const contents& found() const { return found_; }
  const books& found_books() const { return found_books_; }
  bool stopped_cleanly() const { return stopped_cleanly_; }
  // The journal ended with a commit that is not whole; 0 = it did not.
  commit_number incomplete_commit() const { return incomplete_commit_; }
  std::string_view incarnation() const { return incarnation_; }
  // Written to flash since the store was made, as earlier processes noted it in groups and in close().
  std::uint64_t flash_bytes_before() const { return flash_bytes_before_; }
  void forget_found();

  commit_group& open_group() { return *open_; }
  commit_group& riding_group() { return *riding_; }
  commit_group& memory_group() { return *memory_group_; }
  // Records of a stream in memory, up to this end, may go into the memory group: nothing before them waits for a
  // commit, and their offsets are reserved. Otherwise they ride.
  bool is_free(stream_id stream, offset_t end) const;
  // Keeps memory for records of the riding or the memory group. False: there is none.
  bool promise_memory(commit_group& group, std::uint64_t bytes, std::uint64_t batches) {
    return memory_.promise(group, bytes, batches);
  }
  // Of appends to a stream in memory that it does not show yet, as they will be counted there.
  std::uint64_t memory_bytes_on_their_way(stream_id stream) const;
  // Of the open and the riding group: there is something to write. Where there is not, the riding group may be applied.
  bool has_work_for_writer();
  // Applies the memory group, or the riding one while no group is with the writer. How its streams are then.
  std::vector<stream_update> apply_memory();
  std::vector<stream_update> apply_riding();
  const memory_use& memory() const { return memory_.use(); }
  // A group is with the writer.
  bool is_busy() const { return busy_; }
  // Hands the open group over with the riding one, and opens others. Not while busy.
  void submit();
  // Called on the writer's thread when a result is there, or when the writer failed. Set before the first submit.
  void on_result(std::function<void()> notice) { notice_ = std::move(notice); }
  // The result of the group that was submitted, once; then it is no longer busy. Throws what made the writer fail.
  std::optional<commit_result> collect();
  // Without a thread: the writer's work, here and now.
  void step();

  const reader& read() const { return *reader_; }
  // Publishes are refused: what is held is above its bound; or the writer found no room for records below it (free
  // pages can be too scattered for a chunk), until some more is free.
  bool is_full() const;
  // Every few seconds: reports another process that reads the file for longer than that, since it keeps freed pages
  // from being used, and a file that somebody removed.
  void watch();
  std::optional<lmdb::foreign_reader> stuck_reader() const { return stuck_reader_; }
  const lmdb::page_use& pages() const { return pages_; }
  stream_id new_stream_id() { return static_cast<stream_id>(next_stream_++); }

  // After the last result: everything into the tables, and a note that nothing was left in the air.
  void close(std::optional<std::uint64_t> flash_bytes = {});

 private:
  struct handover;
  void lock_directory();
  void open_or_start_anew();
  void open_file();
  void start_anew(const store_damaged& damaged);
  void open_journal();
  void begin_start();
  void fit_journal();
  void replace_journal(std::uint64_t bytes);
  void watch_readers();
  void watch_file();
  void start_thread();
  void run();
  void find_memory_streams();
  void reserve_offsets(const commit_group& group);
  void keep_for_memory();
  void apply_flying(commit_result& result);

  store_options options_;
  descriptor lock_;
  std::unique_ptr<lmdb::env> env_;
  std::unique_ptr<ring> journal_;
  tables tables_{};
  contents found_;
  books found_books_;
  bool stopped_cleanly_ = false;
  commit_number incomplete_commit_ = 0;
  std::string incarnation_;
  std::uint64_t flash_bytes_before_ = 0;
  std::uint32_t next_stream_ = 1;
  memory_streams memory_;
  std::unique_ptr<writer> writer_;
  std::unique_ptr<reader> reader_;
  std::unique_ptr<commit_group> open_ = std::make_unique<commit_group>(), riding_ = std::make_unique<commit_group>(),
                                memory_group_ = std::make_unique<commit_group>();
  // What waits for the group with the writer.
  std::unique_ptr<commit_group> flying_;
  std::vector<stream_change> flying_changes_;
  std::vector<cursor_change> flying_cursors_;
  bool busy_ = false;
  lmdb::page_use pages_;
  std::optional<lmdb::foreign_reader> seen_reader_, stuck_reader_;
  bool is_in_place_ = true;  // the files, in their directory
  double full_above_ = refuse_above;
  std::size_t submitted_bytes_ = 0;
  std::function<void()> notice_;
  std::unique_ptr<handover> handover_;
};

}  // namespace tidegate::store
