#include "broker/store/store_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/log.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {
namespace {

constexpr std::string_view clean_yes("\x01", 1), clean_no("\0", 1);

}  // namespace

store_files::store_files(store_options options) : options_(std::move(options)) {
  lock_directory();
  try {
    open_or_start_anew();
  } catch (const lmdb::map_full&) {
    throw storage_failure(
        fmt::format("the store in {} has no free page left: raise store.bytes_max", options_.directory.string()));
  }
  log::info("store {}: {} streams, replayed {} KiB of journal, {}", options_.directory.string(),
            found_books_.streams.size(), journal_->used() / limits::kib,
            report_.is_new            ? "new"
            : report_.stopped_cleanly ? "stopped cleanly"
                                      : "not stopped cleanly");
  if (report_.incomplete_commit != 0) {
    log::warning(
        "store {}: commit {} is not whole in the journal and was left out: the power went while it was written, and "
        "nobody was told that it is there; or the end of {} was damaged since",
        options_.directory.string(), report_.incomplete_commit, journal_file);
  }
}

void store_files::lock_directory() {
  if (const std::error_code failure = make_directory(options_.directory)) {
    throw storage_failure(fmt::format("cannot make the store's directory {}: {}; check store.path and its permissions",
                                      options_.directory.string(), failure.message()));
  }
  const std::string path = options_.directory / owner_file;
  lock_.number = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock_.number < 0) {
    throw storage_failure(
        fmt::format("cannot write in the store's directory {}: {}; check store.path and its permissions",
                    options_.directory.string(), std::strerror(errno)));
  }
  if (::flock(lock_.number, LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) {
    throw storage_failure(fmt::format("cannot lock {}: {}{}", path, std::strerror(errno), lmdb::advice(errno)));
  }
  throw storage_failure(
      fmt::format("the store in {} is in use by another process; stop that one, or give this broker "
                  "a store.path of its own",
                  options_.directory.string()));
}

void store_files::open_or_start_anew() {
  try {
    open_file();
  } catch (const store_damaged& damaged) {
    if (options_.sets_damaged_aside) return start_anew(damaged);
    throw storage_failure(
        fmt::format("{}. Nothing was changed: `tidegate store check {}` says more, and "
                    "store.on_damage = \"set-aside\" starts with an empty store beside it",
                    damaged.what(), options_.directory.string()));
  }
}

void store_files::open_file() {
  const std::filesystem::path file = options_.directory / store_file;
  if (!std::filesystem::exists(file)) {
    check_no_journal_is_left(options_.directory);
    make_store(options_.directory, options_.bytes_max, options_.writer.journal_bytes_max);
    report_.is_new = true;
  }
  env_ = std::make_unique<lmdb::env>(options_.directory, options_.bytes_max);
  env_->clear_stale_readers();
  {
    // If another process keeps this one from reading, this throws before anything is changed.
    const lmdb::txn reading(*env_, lmdb::access::read);
  }
  tables_ = open_tables(*env_);
  check_format(lmdb::txn(*env_, lmdb::access::read), tables_, options_.directory);
  open_journal();
  found_books_ = read_books(*env_, tables_, *journal_, &found_);
  // Nothing was changed so far: if a wrong file was put there, the right one can still be put back.
  report_.incomplete_commit = journal_->incomplete();
  begin_start();
  put_format_file(options_.directory);
  fill_with_zeros(file, options_.bytes_max, "make room or lower store.bytes_max", {});  // store.bytes_max was raised
  fit_journal();
  report_.flash_bytes_before = flash_bytes_of(lmdb::txn(*env_, lmdb::access::read), tables_);
  const auto flash_bytes = found_books_.dirty_facts.find(fact_name(fact_space::store, meta_flash_bytes));
  if (flash_bytes != found_books_.dirty_facts.end() && flash_bytes->second.value) {
    report_.flash_bytes_before = load_be<std::uint64_t>(flash_bytes->second.value->data());
  }
  if (!report_.stopped_cleanly) suspect_deliveries(found_books_);
}

// A ring that was to replace this one when the last process ended may still be there.
void store_files::open_journal() {
  const std::filesystem::path file = options_.directory / journal_file, next = options_.directory / next_journal_file;
  const journal_row row = journal_row_of(lmdb::txn(*env_, lmdb::access::read), tables_);
  if (std::filesystem::exists(next)) {
    const auto id = ring_id_of(next);
    if (id == row.ring) rename_file(next, file);
    if (id && id != row.ring) std::filesystem::remove(next);
  }
  journal_ = std::make_unique<ring>(file, ring_access::write);
  check_pair(*journal_, row, options_.directory);
  journal_->file().sync();
}

// Both files count the starts, so that a file from another time is detected.
void store_files::begin_start() {
  lmdb::txn txn(*env_, lmdb::access::write);
  const auto incarnation = get_row(txn, tables_.meta, meta_incarnation), clean = get_row(txn, tables_.meta, meta_clean);
  if (!incarnation || !clean) throw store_damaged("the store is damaged: its meta table lacks a row");
  report_.incarnation = *incarnation;
  report_.stopped_cleanly = *clean == clean_yes;
  journal_row row = journal_row_of(txn, tables_);
  ++row.generation;
  journal_->begin_generation(row.generation);
  put_row(txn, tables_.meta, meta_journal, encode(row));
  put_row(txn, tables_.meta, meta_clean, std::string(clean_no));
  txn.commit();
}

// Gives the journal the length in the configuration.
void store_files::fit_journal() {
  const std::uint64_t wanted = ring_bytes_when_made(options_.directory, options_.writer.journal_bytes_max);
  if (journal_->file().bytes() == wanted) return;
  try {
    replace_journal(wanted);
  } catch (const lmdb::map_full&) {
    log::warning("store {}: no room to empty the journal, so it keeps its {} KiB; store.journal_bytes_max asks for {}",
                 options_.directory.string(), journal_->file().bytes() / limits::kib, wanted / limits::kib);
  }
  found_ = {};
  found_books_ = read_books(*env_, tables_, *journal_, &found_);
}

// Moves everything into the tables, then names the new ring in the tables, then renames it. A start completes what was
// interrupted.
void store_files::replace_journal(std::uint64_t bytes) {
  writer emptying(*env_, tables_, *journal_, found_books_, options_.writer);
  emptying.checkpoint_all({});
  const ring_id id = new_ring_id();
  const std::filesystem::path next = options_.directory / next_journal_file;
  make_ring(next, bytes, id, {});
  sync_directory(options_.directory);
  {
    lmdb::txn txn(*env_, lmdb::access::write);
    journal_row row = journal_row_of(txn, tables_);
    row.ring = id;
    row.generation = 0;
    row.head = {row.in_tables, 0, 0};
    put_row(txn, tables_.meta, meta_journal, encode(row));
    txn.commit();
  }
  rename_file(next, options_.directory / journal_file);
  journal_ = std::make_unique<ring>(options_.directory / journal_file, ring_access::write);
  log::info("store {}: the journal is {} KiB long from now on", options_.directory.string(), bytes / limits::kib);
}

// Nothing is deleted. The extent of the loss is not known: the loss record names the file.
void store_files::start_anew(const store_damaged& damaged) {
  journal_.reset();
  env_.reset();
  found_ = {};
  report_.set_aside = set_aside(options_.directory);
  log::error("store {}: {}; set aside as {}, and starting with an empty store", options_.directory.string(),
             damaged.what(), report_.set_aside);
  open_file();
}

void store_files::watch() {
  watch_readers();
  watch_file();
}

// The open file stays in use: consumers that still get messages out of it lose less than by an end at once.
void store_files::watch_file() {
  const bool has_tables = env_->is_at(options_.directory / store_file);
  const bool is_in_place = has_tables && journal_->file().is_at(options_.directory / journal_file);
  if (is_in_place_ && !is_in_place) {
    log::error(
        "store {}: {} was removed or replaced while it is in use; the broker goes on with the open file, and what is "
        "in it is lost when the broker ends: let consumers and the bridge empty it, then restart the broker",
        options_.directory.string(), has_tables ? journal_file : store_file);
  }
  is_in_place_ = is_in_place;
}

void store_files::watch_readers() {
  env_->clear_stale_readers();
  const auto oldest = env_->oldest_foreign_reader();
  const bool is_stuck =
      oldest && seen_reader_ && oldest->pid == seen_reader_->pid && oldest->commit == seen_reader_->commit;
  if (is_stuck && !stuck_reader_) {
    log::warning("process {} reads the store and does not end: while it does, the store fills up; end that process",
                 oldest->pid);
  }
  stuck_reader_ = is_stuck ? oldest : std::nullopt;
  seen_reader_ = oldest;
}

void store_files::forget_found() {
  found_ = {};
  found_books_ = {};
}

void store_files::mark_clean(std::optional<std::uint64_t> flash_bytes) {
  lmdb::txn txn(*env_, lmdb::access::write);
  put_row(txn, tables_.meta, meta_clean, std::string(clean_yes));
  if (flash_bytes) put_row(txn, tables_.meta, meta_flash_bytes, encode_flash_bytes(*flash_bytes));
  txn.commit();
  watch_file();
}

}  // namespace tidegate::store
