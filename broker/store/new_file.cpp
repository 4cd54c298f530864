#include "broker/store/new_file.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/log.hpp"
#include "broker/store/books.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {
namespace {

constexpr std::size_t set_aside_max = 3;

storage_failure failed(std::string_view what, const std::filesystem::path& path) {
  return storage_failure(
      fmt::format("cannot {} {}: {}{}", what, path.string(), std::strerror(errno), lmdb::advice(errno)));
}

void check_free_room(const std::filesystem::path& file, std::uint64_t missing, std::string_view advice) {
  struct statvfs disk {};
  if (::statvfs(file.c_str(), &disk) != 0) return;
  const std::uint64_t free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free_bytes >= missing) return;
  throw storage_failure(fmt::format("cannot fill {}: it takes {} MiB more and the disk has {} MiB free; {}",
                                    file.string(), missing / limits::mib, free_bytes / limits::mib, advice));
}

void put_identity(const std::filesystem::path& directory, std::uint64_t bytes_max, const ring_id& journal) {
  lmdb::env env(directory, bytes_max);
  const tables tables = open_tables(env);
  lmdb::txn txn(env, lmdb::access::write);
  std::string version;
  append_be(version, format_version);
  txn.put(tables.meta, meta_format, version);
  put_row(txn, tables.meta, meta_incarnation, new_incarnation());
  put_row(txn, tables.meta, meta_clean, std::string(1, '\x01'));
  journal_row row;
  row.ring = journal;
  put_row(txn, tables.meta, meta_journal, encode(row));
  txn.commit();
}

}  // namespace

std::string new_incarnation() { return boost::uuids::to_string(boost::uuids::random_generator()()); }

descriptor::~descriptor() {
  if (number >= 0) ::close(number);
}

void sync_directory(const std::filesystem::path& directory) {
  const descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.number < 0 || ::fsync(opened.number) != 0) throw failed("sync", directory);
}

void rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw failed("rename", from);
  sync_directory(to.parent_path());
}

void put_format_file(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / format_file;
  const std::string wanted = fmt::format("{}\n", format_version);
  std::ifstream there(file);
  if (std::string(std::istreambuf_iterator<char>(there), {}) == wanted) return;
  const std::filesystem::path unfinished = directory / "format.new";
  if (!(std::ofstream(unfinished) << wanted << std::flush)) throw failed("write", unfinished);
  rename_file(unfinished, file);
}

std::error_code make_directory(const std::filesystem::path& directory) {
  std::error_code failure;
  std::vector<std::filesystem::path> missing;
  for (auto path = std::filesystem::absolute(directory); path.has_relative_path(); path = path.parent_path()) {
    if (std::filesystem::exists(path, failure)) break;
    missing.push_back(path);
  }
  if (!std::filesystem::create_directories(directory, failure)) return failure;
  for (const auto& made : missing) sync_directory(made.parent_path());
  return {};
}

void fill_with_zeros(const std::filesystem::path& file, std::uint64_t bytes_max, std::string_view advice,
                     const fill_step& step) {
  const descriptor opened(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (opened.number < 0) throw failed("open", file);
  const std::vector<char> zeros(limits::mib, '\0');
  auto at = static_cast<std::uint64_t>(::lseek(opened.number, 0, SEEK_END));
  if (at >= bytes_max) return;
  check_free_room(file, bytes_max - at, advice);
  while (at < bytes_max) {
    const auto size = std::min<std::uint64_t>(zeros.size(), bytes_max - at);
    const ssize_t written = ::pwrite(opened.number, zeros.data(), size, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int cause = written < 0 ? errno : ENOSPC;
      const std::string way_out =
          cause == ENOSPC || cause == EDQUOT ? fmt::format("; {}", advice) : lmdb::advice(cause);
      throw storage_failure(fmt::format("cannot fill {} to {} MiB, stopped at {} MiB: {}{}", file.string(),
                                        bytes_max / limits::mib, at / limits::mib, std::strerror(cause), way_out));
    }
    at += static_cast<std::uint64_t>(written);
    if (step) step(at);
  }
  if (::fdatasync(opened.number) != 0) throw failed("sync", file);
  // The kernel keeps the zeros in large folios of its cache, and would count a whole folio for each small write into
  // one.
  ::posix_fadvise(opened.number, 0, 0, POSIX_FADV_DONTNEED);
}

void make_store(const std::filesystem::path& directory, std::uint64_t bytes_max, std::uint64_t journal_bytes) {
  const std::filesystem::path unfinished = directory / "unfinished";
  std::error_code failure;
  std::filesystem::remove_all(unfinished, failure);
  if (!std::filesystem::create_directory(unfinished, failure)) {
    throw storage_failure(
        fmt::format("cannot write in the store's directory {}: {}; check store.path and its "
                    "permissions",
                    directory.string(), failure.message()));
  }
  const ring_id journal = new_ring_id();
  put_identity(unfinished, bytes_max, journal);
  const std::uint64_t line = std::max<std::uint64_t>(bytes_max / 10, 64 * limits::mib);
  std::uint64_t next_line = line;
  const auto tell = [&](std::uint64_t bytes) {
    if (bytes < next_line || bytes >= bytes_max) return;
    log::info("filling {}: {} of {} MiB, once", (directory / store_file).string(), bytes / limits::mib,
              bytes_max / limits::mib);
    next_line += line;
  };
  try {
    fill_with_zeros(unfinished / store_file, bytes_max, "make room or lower store.bytes_max", tell);
    make_ring(unfinished / journal_file, journal_bytes, journal, {});
  } catch (const storage_failure&) {
    std::filesystem::remove_all(unfinished, failure);  // frees the room on the disk
    throw;
  }
  // The store exists when its own file does, so that file is renamed last.
  rename_file(unfinished / journal_file, directory / journal_file);
  rename_file(unfinished / store_file, directory / store_file);
  std::filesystem::remove_all(unfinished, failure);
}

std::string set_aside(const std::filesystem::path& directory) {
  const std::string damaged = ".damaged-", prefix = store_file + damaged;
  std::size_t there = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(prefix)) ++there;
  }
  if (there >= set_aside_max) {
    throw storage_failure(
        fmt::format("the store in {} is damaged, and {} damaged files lie there already: look at "
                    "them, move them away, and start again",
                    directory.string(), there));
  }
  std::string time = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::time(nullptr)));
  while (std::filesystem::exists(directory / (prefix + time))) time += "-";
  // The journal goes first: if the process ends between the two renames, the store's file is as damaged as before.
  if (std::filesystem::exists(directory / journal_file)) {
    rename_file(directory / journal_file, directory / (journal_file + damaged + time));
  }
  rename_file(directory / store_file, directory / (prefix + time));
  return prefix + time;
}

}  // namespace tidegate::store
