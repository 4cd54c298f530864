#include "broker/store/lmdb.hpp"

#include <fmt/format.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace tidegate::store::lmdb {

std::string advice(int code) {
  switch (code) {
    case MDB_INVALID:
      return "; the file is no LMDB file of this machine's word size: it may come from a 32-bit (or 64-bit) system, "
             "where `tidegate store export` writes what `tidegate store import` takes here, or be damaged";
    case MDB_VERSION_MISMATCH:
      return "; the file was written by another version of LMDB: `tidegate store export` with the programs that wrote "
             "it, and `tidegate store import` here";
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
      return "; the file is damaged: move it aside and start with an empty one, or restore a copy";
    case MDB_PANIC: return "; a write has failed before, see above: the next start finds what was confirmed";
    case MDB_MAP_RESIZED:
      return "; another program made the store larger than store.bytes_max: give the broker a store.path of its own";
    case MDB_INCOMPATIBLE: return "; another program made this file: give the broker a store.path of its own";
    case MDB_READERS_FULL:
      return "; other processes read the store, as many as may at a time: end them (`fuser` names who has lock.mdb "
             "open)";
    // A reading process locks the byte of its process number, which is unique in one pid namespace only.
    case EAGAIN:
    case MDB_BAD_RSLOT:
      return fmt::format(
          "; a process of another container has the same number, {}, and reads the store: end it (`fuser` on the host "
          "names who has lock.mdb open), or wait until it has ended, and start again",
          ::getpid());
    case ENOSPC:
    case EDQUOT: return "; the disk is full: make room, and start again";
    case EFBIG:
      return "; this process may not write files as long as store.bytes_max: raise its limit (ulimit -f, LimitFSIZE)";
    case EROFS:
      return "; the file system is read-only: mount it for writing; the kernel may have done so after an error of the "
             "card, then `dmesg` has it";
    case EACCES:
    case EPERM: return "; check the owner and permissions of the store's directory";
    case EIO: return "; the disk reports an error, or is full: `dmesg` and `df` tell which";
    case ENOMEM:
      return "; there is no room in memory for a map of store.bytes_max: raise the limit (ulimit -v, LimitAS), or "
             "lower store.bytes_max";
    case EMFILE:
    case ENFILE: return "; no file can be opened any more: raise the limit (ulimit -n, LimitNOFILE)";
    case ENOLCK:
    case ENODEV:
    case EINVAL:
    case ESTALE: return "; the file system may lack locks or shared maps: put the store on a disk of this machine";
    case ENOTRECOVERABLE: return "; a process that wrote died at it: stop all that have lock.mdb open, and start again";
    case EISDIR:
    case ENOTDIR:
    case ENOENT: return "; check store.path";
    // LMDB's remaining codes mean that rows and pages do not fit together.
    default: return code < 0 ? "; the store may be damaged: `tidegate store check` tells" : "";
  }
}

namespace {

constexpr unsigned tables_max = 8;
// The broker thread, the writer's page count, and the offline tools.
constexpr unsigned readers_max = 16;
constexpr mdb_mode_t file_mode = 0640;

constexpr std::uint64_t meta_pages = 2;  // the file's first ones

void check(int code, const char* call) {
  if (code == MDB_SUCCESS) return;
  if (code == MDB_MAP_FULL) throw map_full();
  const bool is_unusable = code == MDB_INVALID || code == MDB_VERSION_MISMATCH || code == MDB_CORRUPTED ||
                           code == MDB_PAGE_NOTFOUND || code == MDB_INCOMPATIBLE;
  if (is_unusable) throw store_damaged(fmt::format("{}: {}{}", call, mdb_strerror(code), advice(code)));
  throw storage_failure(fmt::format("{}: {}{}", call, mdb_strerror(code), advice(code)));
}

MDB_val value_of(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view view_of(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

}  // namespace

env::env(const std::filesystem::path& directory, std::size_t map_bytes) {
  open(directory, map_bytes, MDB_NOTLS | MDB_NORDAHEAD);
}

// With the kernel's read-ahead: an offline tool reads everything, in order.
env::env(const std::filesystem::path& directory) { open(directory, 0, MDB_NOTLS | MDB_RDONLY | MDB_NOLOCK); }

// `map_bytes` 0 = as large as the file.
void env::open(const std::filesystem::path& directory, std::size_t map_bytes, unsigned flags) {
  check(mdb_env_create(&env_), "mdb_env_create");
  try {
    if (map_bytes != 0) check(mdb_env_set_mapsize(env_, map_bytes), "mdb_env_set_mapsize");
    check(mdb_env_set_maxdbs(env_, tables_max), "mdb_env_set_maxdbs");
    check(mdb_env_set_maxreaders(env_, readers_max), "mdb_env_set_maxreaders");
    check(mdb_env_open(env_, directory.c_str(), flags, file_mode),
          fmt::format("opening {}", (directory / "data.mdb").string()).c_str());
  } catch (...) {
    mdb_env_close(env_);
    throw;
  }
}

env::~env() { mdb_env_close(env_); }

table env::open_table(txn& within, const char* name) {
  MDB_dbi dbi = 0;
  check(mdb_dbi_open(within.handle(), name, MDB_CREATE, &dbi), name);
  opened_.insert(dbi);
  return table{dbi, name};
}

namespace {

struct found_reader {
  int own_pid;
  std::optional<foreign_reader> oldest;
};

// Reads a line of mdb_reader_list: pid, thread in hex, transaction or "-". The first line is a heading.
int look_at_reader(const char* line, void* context) {
  auto& found = *static_cast<found_reader*>(context);
  int pid = 0;
  std::uint64_t commit = 0;
  if (std::sscanf(line, "%d %*x %" SCNu64, &pid, &commit) != 2 || pid == found.own_pid) return 0;
  if (!found.oldest || commit < found.oldest->commit) found.oldest = {pid, commit};
  return 0;
}

}  // namespace

std::optional<foreign_reader> env::oldest_foreign_reader() const {
  found_reader found{::getpid(), std::nullopt};
  if (mdb_reader_list(env_, look_at_reader, &found) < 0) return std::nullopt;
  return found.oldest;
}

std::optional<table> env::find_table(txn& within, const char* name) {
  MDB_dbi dbi = 0;
  const int code = mdb_dbi_open(within.handle(), name, 0, &dbi);
  if (code == MDB_NOTFOUND) return std::nullopt;
  check(code, name);
  opened_.insert(dbi);
  return table{dbi, name};
}

page_use env::ever_used() const {
  MDB_envinfo info;
  MDB_stat stat;
  check(mdb_env_info(env_, &info), "mdb_env_info");
  check(mdb_env_stat(env_, &stat), "mdb_env_stat");
  return {stat.ms_psize, info.me_mapsize / stat.ms_psize, info.me_last_pgno + 1};
}

// Adds up what the tables record of themselves: a walk over the free list, at each commit, would take longer the more
// was freed.
page_use env::pages() const {
  page_use use = ever_used();
  const std::uint64_t ever_used = use.used_pages;
  const txn reading(*const_cast<env*>(this), access::read);
  use.used_pages = meta_pages;
  const auto count = [&](unsigned table) {
    MDB_stat stat;
    check(mdb_stat(reading.handle(), table, &stat), "mdb_stat");
    use.used_pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
  };
  count(table_of_free_pages.number);
  count(table_of_tables.number);
  for (const unsigned table : opened_) count(table);
  if (const auto pinning = oldest_foreign_reader()) use.used_pages += freed_since(reading, pinning->commit);
  if (use.used_pages <= ever_used) return use;
  throw store_damaged(
      fmt::format("the store is damaged: its tables count {} pages, and the file has {}", use.used_pages, ever_used));
}

std::uint64_t env::free_pages() const { return freed_since(txn(*const_cast<env*>(this), access::read), 0); }

// Each value of the free list starts with the number of pages that it lists; its key is the commit that freed them.
std::uint64_t env::freed_since(const txn& reading, std::uint64_t commit) const {
  const std::uint64_t pages_max = ever_used().used_pages;
  const auto key = static_cast<std::size_t>(commit);
  std::uint64_t pages = 0;
  cursor free_list(reading, table_of_free_pages);
  for (auto found = free_list.seek({reinterpret_cast<const char*>(&key), sizeof key}); found;
       found = free_list.next()) {
    // LMDB may reserve a record and not need it: that one lists no page.
    std::size_t count = 0;
    if (found->value.size() >= sizeof count) std::memcpy(&count, found->value.data(), sizeof count);
    if (count > pages_max - pages) throw store_damaged("the store is damaged: its list of free pages");
    pages += count;
  }
  return pages;
}

bool env::is_at(const std::filesystem::path& file) const {
  int descriptor = -1;
  check(mdb_env_get_fd(env_, &descriptor), "mdb_env_get_fd");
  struct stat opened {};
  struct stat found {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(file.c_str(), &found) == 0 && opened.st_dev == found.st_dev &&
         opened.st_ino == found.st_ino;
}

void env::clear_stale_readers() {
  int dead = 0;
  check(mdb_reader_check(env_, &dead), "mdb_reader_check");
}

std::size_t page_bytes_of(std::string_view value) {
  constexpr std::size_t page = 4'096, page_header = 16, beside_its_key_max = 2'000;
  if (value.size() <= beside_its_key_max) return value.size();
  return (value.size() + page_header + page - 1) / page * page;
}

void will_need(std::string_view value) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(value.data()) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(value.data()) + value.size();
  // Advice only: if it is refused, the pages are read one by one.
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

txn::txn(env& env, access access) {
  check(mdb_txn_begin(env.handle(), nullptr, access == access::read ? MDB_RDONLY : 0U, &txn_),
        "opening the store for a transaction");
}

txn::~txn() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
}

std::optional<std::string_view> txn::get(table table, std::string_view key) const {
  MDB_val wanted = value_of(key), value;
  const int code = mdb_get(txn_, table.number, &wanted, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  check(code, "mdb_get");
  return view_of(value);
}

void txn::put(table table, std::string_view key, std::string_view value) {
  MDB_val where = value_of(key), what = value_of(value);
  check(mdb_put(txn_, table.number, &where, &what, 0), "mdb_put");
}

bool txn::erase(table table, std::string_view key) {
  MDB_val where = value_of(key);
  const int code = mdb_del(txn_, table.number, &where, nullptr);
  if (code == MDB_NOTFOUND) return false;
  check(code, "mdb_del");
  return true;
}

std::uint64_t txn::entries(table table) const {
  MDB_stat stat;
  check(mdb_stat(txn_, table.number, &stat), "mdb_stat");
  return stat.ms_entries;
}

std::uint64_t txn::number() const { return mdb_txn_id(txn_); }

void txn::commit() { check(mdb_txn_commit(std::exchange(txn_, nullptr)), "writing and syncing a commit"); }

cursor::cursor(const txn& txn, table table) {
  check(mdb_cursor_open(txn.handle(), table.number, &cursor_), "mdb_cursor_open");
}

cursor::~cursor() { mdb_cursor_close(cursor_); }

std::optional<entry> cursor::move(int operation, std::string_view key) {
  MDB_val where = value_of(key), what{};
  const int code = mdb_cursor_get(cursor_, &where, &what, static_cast<MDB_cursor_op>(operation));
  if (code == MDB_NOTFOUND) return std::nullopt;
  check(code, "mdb_cursor_get");
  return entry{view_of(where), view_of(what)};
}

std::optional<entry> cursor::first() { return move(MDB_FIRST); }
std::optional<entry> cursor::last() { return move(MDB_LAST); }
std::optional<entry> cursor::seek(std::string_view key) { return move(MDB_SET_RANGE, key); }
std::optional<entry> cursor::next() { return move(MDB_NEXT); }
std::optional<entry> cursor::previous() { return move(MDB_PREV); }
void cursor::erase() { check(mdb_cursor_del(cursor_, 0), "mdb_cursor_del"); }

}  // namespace tidegate::store::lmdb
