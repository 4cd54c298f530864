#include "broker/store/offline/offline_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "broker/store/new_file.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store::offline {
namespace {

const std::filesystem::path& with_store(const std::filesystem::path& directory) {
  std::error_code failure;
  if (std::filesystem::is_regular_file(directory / store_file, failure)) return directory;
  throw storage_failure(
      fmt::format("no store in {}: there is no file {} in it; name the directory that store.path in "
                  "the broker's configuration names",
                  directory.string(), store_file));
}

// A file that was cut short lacks pages at its end, and touching those is a crash.
void check_length(const std::filesystem::path& directory, const lmdb::page_use& ever_used) {
  const std::uint64_t has = std::filesystem::file_size(directory / store_file);
  const std::uint64_t needs = ever_used.used_pages * ever_used.page_bytes;
  if (has >= needs) return;
  throw storage_failure(fmt::format("the store is damaged: {} was cut short, it has {} bytes and {} of them hold data",
                                    (directory / store_file).string(), has, needs));
}

// If a start was replacing the ring, the tables may name the next ring already.
std::filesystem::path journal_of(const std::filesystem::path& directory, lmdb::env& env, const tables& tables) {
  const std::filesystem::path next = directory / next_journal_file;
  const auto id = std::filesystem::exists(next) ? ring_id_of(next) : std::nullopt;
  const bool is_next = id && *id == journal_row_of(lmdb::txn(env, lmdb::access::read), tables).ring;
  return is_next ? next : directory / journal_file;
}

}  // namespace

directory_lock::directory_lock(const std::filesystem::path& directory, lmdb::access access) {
  const std::string path = directory / owner_file;
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0 && errno == ENOENT) return;
  if (file_ < 0)
    throw storage_failure(fmt::format("cannot open {}: {}{}", path, std::strerror(errno), lmdb::advice(errno)));
  if (::flock(file_, (access == lmdb::access::read ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return;
  const int cause = errno;
  ::close(file_);
  if (cause != EWOULDBLOCK) {
    throw storage_failure(fmt::format("cannot lock {}: {}{}", path, std::strerror(cause), lmdb::advice(cause)));
  }
  throw storage_failure(
      fmt::format("the store in {} is in use: stop its broker first (what runs can be asked with "
                  "tidegate status and tidegate list)",
                  directory.string()));
}

directory_lock::~directory_lock() {
  if (file_ >= 0) ::close(file_);
}

offline_store::offline_store(const std::filesystem::path& directory)
    : lock_(with_store(directory), lmdb::access::read),
      env_(directory),
      tables_(open_tables(directory)),
      directory_(directory),
      journal_(journal_of(directory, env_, tables_), ring_access::read) {}

journal_row offline_store::checked_journal_row() {
  const journal_row row = journal_row_of(lmdb::txn(env_, lmdb::access::read), tables_);
  check_pair(journal_, row, directory_);
  return row;
}

books offline_store::read_books(contents* contents) {
  checked_journal_row();
  return store::read_books(env_, tables_, journal_, contents);
}

tables offline_store::open_tables(const std::filesystem::path& directory) {
  check_length(directory, env_.ever_used());
  lmdb::txn txn(env_, lmdb::access::read);
  const auto named = [&](const char* name) {
    const auto table = env_.find_table(txn, name);
    if (table) return *table;
    throw storage_failure(fmt::format("the file is no store of Tidegate's, or damaged: it has no table {}", name));
  };
  const tables found{.chunk = {}, .state = {}, .catalog = {}, .loss = {}, .meta = named("meta")};
  check_format(txn, found, directory);
  const tables all{named("chunk"), named("state"), named("catalog"), named("loss"), found.meta};
  txn.commit();
  return all;
}

store_identity offline_store::identity() {
  const lmdb::txn txn(env_, lmdb::access::read);
  const auto incarnation = get_row(txn, tables_.meta, meta_incarnation), clean = get_row(txn, tables_.meta, meta_clean);
  if (!incarnation || !clean) throw storage_failure("the store is damaged: its meta table lacks a row");
  return {std::string(*incarnation), *clean == std::string_view("\x01", 1), next_stream_of(txn, tables_)};
}

}  // namespace tidegate::store::offline
