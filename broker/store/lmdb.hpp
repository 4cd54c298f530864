// LMDB through move-only owners. Leaving a scope aborts; commit() is said aloud. Only lmdb.cpp includes lmdb.h.
//
// Every failure throws storage_failure with the call's name, LMDB's text, the cause and the way out, except a full map,
// which throws map_full: the writer's transaction is then void and the caller may start another.
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

// The cause and the way out as the end of a sentence, for what LMDB or the system says by such a code; empty where the
// code's own text says all.
std::string advice(int code);

struct map_full : std::runtime_error {
  map_full() : std::runtime_error("the store's map is full") {}
};

// `name` is a literal.
struct table {
  unsigned number = 0;
  const char* name = "";
};
// LMDB's own: the free list, and the names of the others.
constexpr table table_of_free_pages{0, "free pages"};
constexpr table table_of_tables{1, "tables"};

class txn;

// Pages as LMDB counts them, after the last commit.
struct page_use {
  std::uint64_t page_bytes = 0;
  std::uint64_t map_pages = 0;
  std::uint64_t used_pages = 0;  // map pages that hold something: ever used, less those on the free list
  double used_share() const { return static_cast<double>(used_pages) / static_cast<double>(map_pages); }
};

// Of another process, looking at the file: while it does, pages that were freed since cannot be used again.
struct foreign_reader {
  int pid = 0;
  std::uint64_t commit = 0;  // LMDB's count of them, which it sees
};

class env {
 public:
  // Opens or creates `directory`/data.mdb with a map of `map_bytes`. Flags: MDB_NOTLS | MDB_NORDAHEAD and nothing
  // else, so each commit is synced before it returns.
  env(const std::filesystem::path& directory, std::size_t map_bytes);
  // Opens what is there, for reading only: not even LMDB's lock file is written, so nobody may write meanwhile.
  explicit env(const std::filesystem::path& directory);
  env(const env&) = delete;
  env& operator=(const env&) = delete;
  ~env();

  // `name` is a literal.
  table open_table(txn& within, const char* name);
  // None: there is no such table. What is found stays open when the transaction is committed.
  std::optional<table> find_table(txn& within, const char* name);
  // Its own pages, those of the tables that were opened or found, and what another process's reading pins.
  page_use pages() const;
  // The same, but used_pages are those that ever held something.
  page_use ever_used() const;
  // By the free list; it takes the longer the more was freed.
  std::uint64_t free_pages() const;
  std::optional<foreign_reader> oldest_foreign_reader() const;
  // Whether the file that is open is the one of this path, and not removed or replaced since.
  bool is_at(const std::filesystem::path& file) const;
  // Frees the slots of readers whose process died.
  void clear_stale_readers();
  MDB_env* handle() const { return env_; }

 private:
  void open(const std::filesystem::path& directory, std::size_t map_bytes, unsigned flags);
  std::uint64_t freed_since(const txn& reading, std::uint64_t commit) const;

  MDB_env* env_ = nullptr;
  std::set<unsigned> opened_;
};

// Of the pages that a value lies on; what is short shares one with its key and others, and counts as it is.
std::size_t page_bytes_of(std::string_view value);

// The map is read without the kernel's read-ahead, since most of what is read is somewhere else each time. What is long
// is asked for at once instead of page by page: on a cold card that is one read of 16 KiB, and not four.
void will_need(std::string_view value);

enum class access { read, write };

class txn {
 public:
  txn(env& env, access access);
  txn(const txn&) = delete;
  txn& operator=(const txn&) = delete;
  ~txn();

  // Views last until the next change in this transaction, or its end.
  std::optional<std::string_view> get(table table, std::string_view key) const;
  void put(table table, std::string_view key, std::string_view value);
  // False: was not there.
  bool erase(table table, std::string_view key);
  std::uint64_t entries(table table) const;
  // LMDB's count of commits: of one that reads, the last that it sees; of one that writes, its own.
  std::uint64_t number() const;

  // Synced to the disk when it returns. The transaction is over, also when it throws.
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

  std::optional<entry> first();
  std::optional<entry> last();
  // The first entry whose key is not less.
  std::optional<entry> seek(std::string_view key);
  std::optional<entry> next();
  std::optional<entry> previous();
  // Removes the entry the cursor stands on; next() then gives the one behind it.
  void erase();

 private:
  std::optional<entry> move(int operation, std::string_view key = {});
  MDB_cursor* cursor_ = nullptr;
};

}  // namespace tidegate::store::lmdb
