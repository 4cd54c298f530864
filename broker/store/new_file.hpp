// Makes the store's files, and renames a damaged one. An interruption leaves no half-made file under its final name.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

namespace tidegate::store {

// LMDB's file with the tables, the journal's ring beside it, and the file that a running broker holds locked.
constexpr const char* store_file = "data.mdb";
constexpr const char* journal_file = "journal.ring";
constexpr const char* next_journal_file = "journal.ring.new";  // one of another length, about to take its place
constexpr const char* owner_file = "owner.lock";

// An open file. Closes it when it goes out of scope.
struct descriptor {
  int number = -1;
  descriptor() = default;
  explicit descriptor(int opened) : number(opened) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor();
};

// Makes names that were created or changed in the directory survive a power cut. Throws storage_failure.
void sync_directory(const std::filesystem::path& directory);
// Makes the directory and missing ones above it, and syncs the parent of each. Throws if it cannot sync.
std::error_code make_directory(const std::filesystem::path& directory);

// Appends zeros up to the size and syncs, so that the disk cannot run out under a broker and the file system does not
// allocate during commits. Calls `step`, if set, with the progress. Throws storage_failure, at once if the disk has
// less room; `advice` ends its text.
using fill_step = std::function<void(std::uint64_t bytes)>;
void fill_with_zeros(const std::filesystem::path& file, std::uint64_t bytes_max, std::string_view advice,
                     const fill_step& step);

// Returns a new UUID as text.
std::string new_incarnation();

// A plain file with the format's number, for scripts that do not read LMDB.
constexpr const char* format_file = "format";
void put_format_file(const std::filesystem::path& directory);

// Synced when it returns, with its directory. Throws storage_failure.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

// Makes an empty store: its file and its journal in these sizes. They are made under other names and renamed, so that
// an interruption, even of the power, leaves no incomplete file.
void make_store(const std::filesystem::path& directory, std::uint64_t bytes_max, std::uint64_t journal_bytes);

// Renames the store's file and its journal to names with the time, and returns the file's new name. Throws
// storage_failure if several such files exist already: each takes as much room as the store.
std::string set_aside(const std::filesystem::path& directory);

}  // namespace tidegate::store
