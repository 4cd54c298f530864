#include "broker/store/store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/log.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {

namespace {
// Share of the map that has to become free before records are taken again where the writer had no room for them.
constexpr double full_step = 0.02;

constexpr std::string_view clean_yes("\x01", 1), clean_no("\0", 1);
}  // namespace

// One group in; one result out, and the group with it. The condition variables carry the hand-over; nothing else is
// shared.
struct store::handover {
  std::mutex mutex;
  std::condition_variable wake;
  std::unique_ptr<commit_group> work;
  std::unique_ptr<commit_group> done;  // freed where it was filled: two threads at malloc wait for each other
  std::optional<commit_result> result;
  std::exception_ptr failure;
  bool stop = false;
  std::thread runner;
};

store::store(store_options options)
    : options_(std::move(options)), memory_(options_.memory_bytes_max), handover_(std::make_unique<handover>()) {
  lock_directory();
  try {
    open_or_start_anew();
  } catch (const lmdb::map_full&) {
    throw storage_failure(
        fmt::format("the store in {} has no free page left: raise store.bytes_max", options_.directory.string()));
  }
  log::info("store {}: {} streams, replayed {} KiB of journal, {}", options_.directory.string(),
            found_books_.streams.size(), journal_->used() / limits::kib,
            stopped_cleanly_ ? "stopped cleanly" : "not stopped cleanly");
  if (incomplete_commit_ != 0) {
    log::warning(
        "store {}: commit {} is not whole in the journal and was left out: the power went while it was written, and "
        "nobody was told that it is there; or the end of {} was damaged since",
        options_.directory.string(), incomplete_commit_, journal_file);
  }
  writer_ = std::make_unique<writer>(*env_, tables_, *journal_, found_books_, options_.writer);
  if (options_.own_thread) start_thread();
}

store::~store() {
  if (handover_->runner.joinable()) {
    {
      const std::lock_guard guard(handover_->mutex);
      handover_->stop = true;
    }
    handover_->wake.notify_one();
    handover_->runner.join();
  }
}

void store::lock_directory() {
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

void store::open_or_start_anew() {
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

void store::open_file() {
  const std::filesystem::path file = options_.directory / store_file;
  if (!std::filesystem::exists(file)) {
    check_no_journal_is_left(options_.directory);
    make_store(options_.directory, options_.bytes_max, options_.writer.journal_bytes_max);
  }
  env_ = std::make_unique<lmdb::env>(options_.directory, options_.bytes_max);
  env_->clear_stale_readers();
  {
    // Where another process keeps this one from reading, it throws before anything is changed.
    const lmdb::txn reading(*env_, lmdb::access::read);
  }
  tables_ = open_tables(*env_);
  check_format(lmdb::txn(*env_, lmdb::access::read), tables_, options_.directory);
  open_journal();
  found_books_ = read_books(*env_, tables_, *journal_, &found_);
  // Nothing was changed so far: whoever put a wrong file there can still put the right one back.
  incomplete_commit_ = journal_->incomplete();
  begin_start();
  put_format_file(options_.directory);
  fill_with_zeros(file, options_.bytes_max, "make room or lower store.bytes_max", {});  // store.bytes_max was raised
  fit_journal();
  flash_bytes_before_ = flash_bytes_of(lmdb::txn(*env_, lmdb::access::read), tables_);
  const auto flash_bytes = found_books_.dirty_facts.find(fact_name(fact_space::store, meta_flash_bytes));
  if (flash_bytes != found_books_.dirty_facts.end() && flash_bytes->second.value) {
    flash_bytes_before_ = load_be<std::uint64_t>(flash_bytes->second.value->data());
  }
  next_stream_ = found_books_.next_stream;
  if (!stopped_cleanly_) suspect_deliveries(found_books_);
  find_memory_streams();
  reader_ = std::make_unique<reader>(*env_, tables_, *journal_, found_books_, &memory_);
  pages_ = env_->pages();
  pages_.used_pages += (found_books_.pledged_bytes + pages_.page_bytes - 1) / pages_.page_bytes;
}

// One that was to take the place of another when the last process ended may still lie beside it.
void store::open_journal() {
  const std::filesystem::path file = options_.directory / journal_file, next = options_.directory / next_journal_file;
  const journal_row row = journal_row_of(lmdb::txn(*env_, lmdb::access::read), tables_);
  if (std::filesystem::exists(next)) {
    const auto id = ring_id_of(next);
    if (id == row.ring) rename_file(next, file);
    if (id && id != row.ring) std::filesystem::remove(next);
  }
  journal_ = std::make_unique<ring>(file, ring::access::write);
  check_pair(*journal_, row, options_.directory);
  journal_->sync();
}

// Both files count the starts, so that one of them which comes from another time is told.
void store::begin_start() {
  lmdb::txn txn(*env_, lmdb::access::write);
  const auto incarnation = get_row(txn, tables_.meta, meta_incarnation), clean = get_row(txn, tables_.meta, meta_clean);
  if (!incarnation || !clean) throw store_damaged("the store is damaged: its meta table lacks a row");
  incarnation_ = *incarnation;
  stopped_cleanly_ = *clean == clean_yes;
  journal_row row = journal_row_of(txn, tables_);
  ++row.generation;
  journal_->begin_generation(row.generation);
  put_row(txn, tables_.meta, meta_journal, encode(row));
  put_row(txn, tables_.meta, meta_clean, std::string(clean_no));
  txn.commit();
}

// As long as the configuration says.
void store::fit_journal() {
  const std::uint64_t wanted = ring::bytes_when_made(options_.directory, options_.writer.journal_bytes_max);
  if (journal_->file_bytes() == wanted) return;
  try {
    replace_journal(wanted);
  } catch (const lmdb::map_full&) {
    log::warning("store {}: no room to empty the journal, so it keeps its {} KiB; store.journal_bytes_max asks for {}",
                 options_.directory.string(), journal_->file_bytes() / limits::kib, wanted / limits::kib);
  }
  found_ = {};
  found_books_ = read_books(*env_, tables_, *journal_, &found_);
}

// Everything goes into the tables; then they name the new ring, and then it gets its name. A start finishes what was
// cut short.
void store::replace_journal(std::uint64_t bytes) {
  writer emptying(*env_, tables_, *journal_, found_books_, options_.writer);
  emptying.checkpoint_all({});
  const ring_id id = new_ring_id();
  const std::filesystem::path next = options_.directory / next_journal_file;
  ring::make(next, bytes, id, {});
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
  journal_ = std::make_unique<ring>(options_.directory / journal_file, ring::access::write);
  log::info("store {}: the journal is {} KiB long from now on", options_.directory.string(), bytes / limits::kib);
}

// Nothing is deleted. What it was worth nobody knows: the loss record names the file.
void store::start_anew(const store_damaged& damaged) {
  journal_.reset();
  env_.reset();
  found_ = {};
  const std::string name = set_aside(options_.directory);
  log::error("store {}: {}; set aside as {}, and starting with an empty store", options_.directory.string(),
             damaged.what(), name);
  open_file();
  open_->lose({loss_reason::damaged, stream_id{}, name});
}

void store::watch() {
  watch_readers();
  watch_file();
}

// The open file serves on: whoever still gets messages out of it loses less than by an end at once.
void store::watch_file() {
  const bool has_tables = env_->is_at(options_.directory / store_file);
  const bool is_in_place = has_tables && journal_->is_at(options_.directory / journal_file);
  if (is_in_place_ && !is_in_place) {
    log::error(
        "store {}: {} was removed or replaced while it is in use; the broker goes on with the open file, and what is "
        "in it is lost when the broker ends: let consumers and the bridge empty it, then restart the broker",
        options_.directory.string(), has_tables ? journal_file : store_file);
  }
  is_in_place_ = is_in_place;
}

void store::watch_readers() {
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

void store::forget_found() {
  found_ = {};
  found_books_ = {};
}

void store::start_thread() {
  handover_->runner = std::thread([this] { run(); });
}

void store::run() {
  std::unique_lock lock(handover_->mutex);
  while (true) {
    handover_->wake.wait(lock, [&] { return handover_->stop || handover_->work != nullptr; });
    if (handover_->work == nullptr) return;
    auto work = std::move(handover_->work);
    lock.unlock();
    std::optional<commit_result> result;
    std::exception_ptr failure;
    try {
      result = writer_->apply(*work);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    handover_->done = std::move(work);
    handover_->result = std::move(result);
    handover_->failure = failure;
    if (handover_->stop) return;  // whom the notice is for may be gone
    lock.unlock();
    if (notice_) notice_();
    if (failure) return;
    lock.lock();
  }
}

void store::find_memory_streams() {
  for (const auto& [id, ledger] : found_books_.streams) {
    if (ledger.in_memory) memory_.add(id, ledger.kind, {}, ledger.next, ledger.next, ledger.dropped);
  }
  found_.each(fact_space::committed_offset, [&](std::string_view name, std::string_view value) {
    const auto stream = static_cast<stream_id>(load_be<std::uint32_t>(name.data()));
    memory_.apply(cursor_change{stream, std::string(name.substr(sizeof stream)), decode_cursor(value)});
  });
}

bool store::is_free(stream_id stream, offset_t end) const {
  const bool waits =
      riding_->find_appends(stream) != nullptr || (flying_ != nullptr && flying_->find_appends(stream) != nullptr);
  return !waits && memory_.is_reserved(stream, end);
}

void store::reserve_offsets(const commit_group& group) {
  for (stream_change& row : memory_.reservations_for(group)) open_->change_stream(std::move(row));
}

std::uint64_t store::memory_bytes_on_their_way(stream_id stream) const {
  std::uint64_t bytes = 0;
  for (const commit_group* const group : {memory_group_.get(), riding_.get(), flying_.get()}) {
    const stream_share* const share = group == nullptr ? nullptr : group->find_appends(stream);
    if (share != nullptr) bytes += memory_stream::cost_of(*share);
  }
  return bytes;
}

bool store::has_work_for_writer() {
  reserve_offsets(*riding_);
  return !open_->empty();
}

std::vector<stream_update> store::apply_memory() {
  reserve_offsets(*memory_group_);
  return memory_.apply(*std::exchange(memory_group_, std::make_unique<commit_group>()));
}

std::vector<stream_update> store::apply_riding() {
  TIDEGATE_EXPECT(!busy_);
  return memory_.apply(*std::exchange(riding_, std::make_unique<commit_group>()));
}

// What of the open group concerns streams in memory happens to them with its result.
void store::keep_for_memory() {
  riding_->set_time(open_->time());
  flying_ = std::exchange(riding_, std::make_unique<commit_group>());
  for (stream_change& change : open_->stream_changes()) {
    const bool is_new = change.change == stream_change::what::create && change.in_memory;
    if (!is_new && memory_.find(change.stream) == nullptr) continue;
    const stream_share* const first = flying_->find_appends(change.stream);
    if (is_new) change.reserved_end = offsets_per_reservation + (first != nullptr ? first->end() : 0);
    flying_changes_.push_back(change);
  }
  for (const cursor_change& change : open_->cursors()) {
    if (memory_.find(change.stream) != nullptr) flying_cursors_.push_back(change);
  }
}

void store::submit() {
  TIDEGATE_EXPECT(!busy_);
  busy_ = true;
  submitted_bytes_ = open_->bytes();
  keep_for_memory();
  {
    const std::lock_guard guard(handover_->mutex);
    handover_->work = std::exchange(open_, std::make_unique<commit_group>());
  }
  handover_->wake.notify_one();
}

void store::step() {
  const auto work = std::move(handover_->work);
  if (work) handover_->result = writer_->apply(*work);
}

std::optional<commit_result> store::collect() {
  std::optional<commit_result> result;
  std::unique_ptr<commit_group> done;
  {
    const std::lock_guard guard(handover_->mutex);
    if (handover_->failure) std::rethrow_exception(handover_->failure);
    result = std::exchange(handover_->result, std::nullopt);
    done = std::move(handover_->done);
  }
  if (!result) return std::nullopt;
  busy_ = false;
  reader_->apply(*result);
  apply_flying(*result);
  pages_ = result->pages;
  const std::uint64_t free_bytes = (pages_.map_pages - pages_.used_pages) * pages_.page_bytes;
  const bool is_tests = static_cast<bool>(options_.writer.refuses_records);  // and says nothing of the room
  const bool had_its_room = !result->appends_stored && !is_tests && submitted_bytes_ < free_bytes / 4;
  if (had_its_room) full_above_ = std::min(refuse_above, pages_.used_share() - full_step);
  if (!is_full()) full_above_ = refuse_above;
  return result;
}

void store::apply_flying(commit_result& result) {
  for (const stream_change& change : std::exchange(flying_changes_, {})) memory_.apply(change);
  for (const cursor_change& change : std::exchange(flying_cursors_, {})) memory_.apply(change);
  if (!result.appends_stored) flying_->drop_appends();
  for (stream_update& update : memory_.apply(*flying_)) result.streams.push_back(std::move(update));
  flying_.reset();
}

bool store::is_full() const { return pages_.used_share() > full_above_; }

void store::close(std::optional<std::uint64_t> flash_bytes) {
  TIDEGATE_EXPECT(!busy_);
  try {
    writer_->checkpoint_all(memory_.final_rows());
    lmdb::txn txn(*env_, lmdb::access::write);
    put_row(txn, tables_.meta, meta_clean, std::string(clean_yes));
    if (flash_bytes) put_row(txn, tables_.meta, meta_flash_bytes, encode_flash_bytes(*flash_bytes));
    txn.commit();
    watch_file();
  } catch (const lmdb::map_full&) {
    log::warning(
        "store {}: no room to check everything in; the next start replays the journal and marks what waits in "
        "queues as redelivered",
        options_.directory.string());
  }
}

}  // namespace tidegate::store
