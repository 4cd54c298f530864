// The files of a store in its directory: LMDB's file with the tables, the journal, and the lock that keeps other
// processes out. Opens or makes them at the start, and watches afterwards that they stay where they are.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "broker/store/books.hpp"
#include "broker/store/lmdb.hpp"
#include "broker/store/new_file.hpp"
#include "broker/store/ring.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {

struct store_options {
  std::filesystem::path directory;
  std::uint64_t bytes_max = 1ull << 30;  // size of LMDB's file, and so of its map
  writer_options writer;
  // Tests leave it off and call store::step().
  bool own_thread = true;
  // A damaged file is renamed and an empty store takes its place; otherwise the start fails.
  bool sets_damaged_aside = false;
  // Bound of all memory streams together, with everything that keeps their records; 0 = memory streams are disabled.
  std::uint64_t memory_bytes_max = limits::memory_bytes_max;
};

// A start's findings about the time before it.
struct start_report {
  std::string incarnation;
  bool is_new = false;  // this start made the files
  bool stopped_cleanly = false;
  commit_number incomplete_commit = 0;   // the journal ends with a commit that is not whole; 0 = it does not
  std::uint64_t flash_bytes_before = 0;  // written to flash since the store was made, as last noted
  std::string set_aside;                 // the name that a damaged file was given; empty = none was damaged
};

class store_files {
 public:
  // Locks the directory, makes the files if there are none (filled to their full size, so that the disk cannot run out
  // later), checks the format and replays the journal. Throws storage_failure.
  explicit store_files(store_options options);
  store_files(const store_files&) = delete;
  store_files& operator=(const store_files&) = delete;

  const start_report& report() const { return report_; }
  // The content of tables and journal at the start, until forget_found().
  const contents& found() const { return found_; }
  books& found_books() { return found_books_; }
  const books& found_books() const { return found_books_; }
  void forget_found();

  lmdb::env& env() { return *env_; }
  ring& journal() { return *journal_; }
  const tables& rows() const { return tables_; }

  // Call every few seconds. Reports a file that was removed or replaced, and another process that keeps a read
  // transaction open from one call to the next: freed pages cannot be used while it lasts.
  void watch();
  std::optional<lmdb::foreign_reader> stuck_reader() const { return stuck_reader_; }
  // Notes that the process stops cleanly, after everything went into the tables. Throws lmdb::map_full.
  void mark_clean(std::optional<std::uint64_t> flash_bytes);

 private:
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

  store_options options_;
  descriptor lock_;
  std::unique_ptr<lmdb::env> env_;
  std::unique_ptr<ring> journal_;
  tables tables_{};
  contents found_;
  books found_books_;
  start_report report_;
  std::optional<lmdb::foreign_reader> seen_reader_, stuck_reader_;
  bool is_in_place_ = true;  // the files are in their directory
};

}  // namespace tidegate::store
