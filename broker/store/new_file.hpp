// Making the store's file, and putting a bad one out of the way. Neither leaves anything half done under its name.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

namespace tidegate::store {

// The file in which LMDB keeps the store, the journal's ring beside it, and the file that a running broker holds
// locked.
constexpr const char* store_file = "data.mdb";
constexpr const char* journal_file = "journal.ring";
constexpr const char* next_journal_file = "journal.ring.new";  // one of another length, about to take its place
constexpr const char* owner_file = "owner.lock";

// A file of ours, closed in the end, also when what comes behind it throws.
struct descriptor {
  int number = -1;
  descriptor() = default;
  explicit descriptor(int opened) : number(opened) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor();
};

// So that a file made or renamed in it is there after a power cut. Throws storage_failure.
void sync_directory(const std::filesystem::path& directory);
// Makes it and those above it where they are missing, and syncs the one above each. Throws where it cannot sync.
std::error_code make_directory(const std::filesystem::path& directory);

// Appends zeros up to that size, and syncs: so the disk cannot run out under a broker, and the file system has no
// blocks to find in a commit. `step`, if there is one, is told how far it is. Throws storage_failure, at once where the
// disk has less room than that; `advice` ends its text.
using fill_step = std::function<void(std::uint64_t bytes)>;
void fill_with_zeros(const std::filesystem::path& file, std::uint64_t bytes_max, std::string_view advice,
                     const fill_step& step);

// A UUID as text.
std::string new_incarnation();

// A plain file that says the format, for scripts that are not to know LMDB.
constexpr const char* format_file = "format";
void put_format_file(const std::filesystem::path& directory);

// Synced, the directory with it. Throws storage_failure.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

// An empty store, its file and its journal of that size. It is made under another name and then renamed, so that an end
// in between, also of the power, leaves no file that is none.
void make_store(const std::filesystem::path& directory, std::uint64_t bytes_max, std::uint64_t journal_bytes);

// Renames the store's file to one with the time in its name, and returns that; its journal goes with it. Throws
// storage_failure when several lie there already: they take as much room each.
std::string set_aside(const std::filesystem::path& directory);

}  // namespace tidegate::store
