// A store on which no broker runs, opened for reading: for looking at it, and for taking its content elsewhere. Nothing
// in the directory changes, so it may as well be a copy, or on a file system that is mounted read-only.
#pragma once

#include <filesystem>
#include <string>

#include "broker/store/books.hpp"

namespace tidegate::store::offline {

// Keeps brokers away from a directory as long as it lives; where nobody has run a broker yet, it does nothing.
class directory_lock {
 public:
  // Throws storage_failure when another process has it. Those who only read share it.
  directory_lock(const std::filesystem::path& directory, lmdb::access access);
  directory_lock(const directory_lock&) = delete;
  directory_lock& operator=(const directory_lock&) = delete;
  ~directory_lock();

 private:
  int file_ = -1;
};

// What the meta table says, apart from the format.
struct store_identity {
  std::string incarnation;
  bool stopped_cleanly = false;
  std::uint32_t next_stream = 1;
};

class offline_store {
 public:
  // Throws storage_failure where there is no store, where a broker runs on it, and where another kind of program,
  // machine or version wrote it.
  explicit offline_store(const std::filesystem::path& directory);

  lmdb::env& env() { return env_; }
  ring& journal() { return journal_; }
  // As a start finds them. Throws storage_failure.
  books read_books(contents* contents = nullptr);
  // Throws store_damaged where it is damaged, or where the journal is of another store.
  journal_row checked_journal_row();
  const tables& rows() const { return tables_; }
  lmdb::page_use pages() const { return env_.pages(); }
  // Throws storage_failure where a row is missing or damaged.
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
