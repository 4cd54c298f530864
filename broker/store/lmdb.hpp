// Classes that own LMDB's environment, transactions and cursors. They can be neither copied nor moved. A transaction
// that leaves its scope without commit() is aborted. Only lmdb.cpp includes lmdb.h.
//
// Every failure throws storage_failure with the call's name, LMDB's text, the cause and advice. A full map throws
// map_full instead: the write transaction is then void, and the caller may start another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "broker/base/error.hpp"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace tidegate::store::lmdb {

// Returns cause and advice for an error code of LMDB or the system, as the end of a sentence. Empty if the code's own
// text is enough.
std::string advice(int code);

struct map_full : std::runtime_error {
  map_full() : std::runtime_error("the store's map is full") {}
};

// An open table. `name` is a literal.
struct table {
  unsigned number = 0;
  const char* name = "";
};
// LMDB's own tables: the free list, and the names of the others.
constexpr table table_of_free_pages{0, "free pages"};
constexpr table table_of_tables{1, "tables"};

class txn;

// Counts of LMDB's pages, as of the last commit.
struct page_use {
  std::uint64_t page_bytes = 0;
  std::uint64_t map_pages = 0;
  std::uint64_t used_pages = 0;  // pages of the map that were ever used and are not on the free list
  double used_share() const { return static_cast<double>(used_pages) / static_cast<double>(map_pages); }
};

// A read transaction of another process. While it is open, pages that were freed since cannot be used again.
struct foreign_reader {
  int pid = 0;
  std::uint64_t commit = 0;  // the last commit that it sees, by LMDB's count
};

class env {
 public:
  // Opens or creates `directory`/data.mdb with a map of `map_bytes`. The flags are MDB_NOTLS | MDB_NORDAHEAD only, so
  // each commit is synced before it returns.
  env(const std::filesystem::path& directory, std::size_t map_bytes);
  // Opens an existing file for reading only. Not even LMDB's lock file is written, so nobody may write meanwhile.
  explicit env(const std::filesystem::path& directory);
  env(const env&) = delete;
  env& operator=(const env&) = delete;
  ~env();

  // Opens the table, or creates it. `name` is a literal.
  table open_table(txn& within, const char* name);
  // Returns none if there is no such table. A table that is found stays open when the transaction commits.
  std::optional<table> find_table(txn& within, const char* name);
  // Counts LMDB's own pages, those of the tables that were opened or found, and freed ones that another process's read
  // transaction pins.
  page_use pages() const;
  // The same, except that used_pages counts every page that was ever used.
  page_use ever_used() const;
  // Counts the pages on the free list. Reads all of it, which takes the longer the more was freed.
  std::uint64_t free_pages() const;
  std::optional<foreign_reader> oldest_foreign_reader() const;
  // Returns whether the open file is the one at this path: it was not removed or replaced.
  bool is_at(const std::filesystem::path& file) const;
  // Frees the slots of readers whose process ended.
  void clear_stale_readers();
  MDB_env* handle() const { return env_; }

 private:
  void open(const std::filesystem::path& directory, std::size_t map_bytes, unsigned flags);
  std::uint64_t freed_since(const txn& reading, std::uint64_t commit) const;

  MDB_env* env_ = nullptr;
  std::set<unsigned> opened_;
};

// Returns the bytes of the pages that hold a value. A short value shares its page with other rows and counts with its
// own length.
std::size_t page_bytes_of(std::string_view value);

// Asks the kernel to read a long value at once. The map has no read-ahead, because most reads are somewhere else each
// time; on a cold card this is one read of 16 KiB instead of four.
void will_need(std::string_view value);

enum class access { read, write };

class txn {
 public:
  txn(env& env, access access);
  txn(const txn&) = delete;
  txn& operator=(const txn&) = delete;
  ~txn();

  // Returns the value stored under the key; none if there is no such row. The view is valid until the next change in
  // this transaction, or its end.
  std::optional<std::string_view> get(table table, std::string_view key) const;
  void put(table table, std::string_view key, std::string_view value);
  // Returns false if there was no such row.
  bool erase(table table, std::string_view key);
  std::uint64_t entries(table table) const;
  // Returns LMDB's count of commits: the last one that a read transaction sees, or a write transaction's own.
  std::uint64_t number() const;

  // Commits. The data is synced to the disk when this returns. The transaction is over, even if this throws.
  void commit();
  MDB_txn* handle() const { return txn_; }

 private:
  MDB_txn* txn_ = nullptr;
};

struct entry {
  std::string_view key;
  std::string_view value;
};

class cursor {
 public:
  cursor(const txn& txn, table table);
  cursor(const cursor&) = delete;
  cursor& operator=(const cursor&) = delete;
  ~cursor();

  // The functions below return none if there is no such entry. Views are valid as those of txn::get().
  std::optional<entry> first();
  std::optional<entry> last();
  // Returns the first entry whose key is not less than `key`.
  std::optional<entry> seek(std::string_view key);
  std::optional<entry> next();
  std::optional<entry> previous();
  // Removes the entry at the cursor. next() then returns the entry after it.
  void erase();

 private:
  std::optional<entry> move(int operation, std::string_view key = {});
  MDB_cursor* cursor_ = nullptr;
};

}  // namespace tidegate::store::lmdb
