// A store on which no broker runs, opened for reading: to inspect it, or to export it. Nothing in the directory
// changes, so it may be a copy, or on a file system that is mounted read-only.
#pragma once

#include <filesystem>
#include <string>

#include "broker/store/books.hpp"

namespace tidegate::store::offline {

// Locks a store's directory, so that no broker starts there while this object exists. Does nothing if no broker has
// ever run there.
class directory_lock {
 public:
  // Throws storage_failure if another process holds the lock. Processes that only read share it.
  directory_lock(const std::filesystem::path& directory, lmdb::access access);
  directory_lock(const directory_lock&) = delete;
  directory_lock& operator=(const directory_lock&) = delete;
  ~directory_lock();

 private:
  int file_ = -1;
};

// The meta table's rows, except for the format.
struct store_identity {
  std::string incarnation;
  bool stopped_cleanly = false;
  std::uint32_t next_stream = 1;
};

class offline_store {
 public:
  // Throws storage_failure if there is no store, if a broker runs on it, or if another program, machine type or version
  // wrote it.
  explicit offline_store(const std::filesystem::path& directory);

  lmdb::env& env() { return env_; }
  ring& journal() { return journal_; }
  // Reads the books as a start does. Throws storage_failure.
  books read_books(contents* contents = nullptr);
  // Returns the journal's row. Throws store_damaged if the row is missing or damaged, or if the journal belongs to
  // another store.
  journal_row checked_journal_row();
  const tables& rows() const { return tables_; }
  lmdb::page_use pages() const { return env_.pages(); }
  // Throws storage_failure if a row is missing or damaged.
  store_identity identity();

 private:
  tables open_tables(const std::filesystem::path& directory);

  directory_lock lock_;
  lmdb::env env_;
  tables tables_;
  std::filesystem::path directory_;
  ring journal_;
};

}  // namespace tidegate::store::offline
