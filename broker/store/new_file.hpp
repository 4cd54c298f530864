// Makes the store's files, and sets damaged ones aside. An interruption leaves no half-made file under its final name.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

namespace tidegate::store {

// LMDB's file with the tables, the journal's ring beside it, and the file that a running broker holds locked.
constexpr const char* store_file = "data.mdb";
constexpr const char* journal_file = "journal.ring";
constexpr const char* next_journal_file = "journal.ring.new";  // a ring of another length, about to replace the journal
constexpr const char* owner_file = "owner.lock";

// Owns an open file and closes it when it goes out of scope; -1 = none.
struct descriptor {
  int number = -1;
  descriptor() = default;
  explicit descriptor(int opened) : number(opened) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor();
};

// Syncs a directory, so that names created or changed in it survive a power cut. Throws storage_failure.
void sync_directory(const std::filesystem::path& directory);
// Makes the directory and missing ones above it, and syncs the parent of each. Returns the error if it cannot make one.
// Throws storage_failure if it cannot sync.
std::error_code make_directory(const std::filesystem::path& directory);

// Appends zeros to an existing file until it has `bytes_max` bytes, and syncs it. So the disk cannot run out under a
// broker, and the file system does not allocate during commits. Calls `step`, if set, with the file's size so far.
// Throws storage_failure, at once if the disk has less room; `advice` ends its text.
using fill_step = std::function<void(std::uint64_t bytes)>;
void fill_with_zeros(const std::filesystem::path& file, std::uint64_t bytes_max, std::string_view advice,
                     const fill_step& step);

// Returns a new UUID as text.
std::string new_incarnation();

// A text file with the format's number, for scripts that do not read LMDB.
constexpr const char* format_file = "format";
void put_format_file(const std::filesystem::path& directory);

// Renames a file and syncs the directory of its new name, but not the file. Throws storage_failure.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

// Makes an empty store: its file and its journal in these sizes. They are made in a directory of their own and renamed,
// so that an interruption, even a power cut, leaves no incomplete file. Throws storage_failure.
void make_store(const std::filesystem::path& directory, std::uint64_t bytes_max, std::uint64_t journal_bytes);

// Renames the store's file and its journal to names with the time, and returns the file's new name. Throws
// storage_failure if several such files exist already: each takes as much room as the store.
std::string set_aside(const std::filesystem::path& directory);

}  // namespace tidegate::store
