#include "broker/store/offline/importing.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/new_file.hpp"
#include "broker/store/offline/census.hpp"
#include "broker/store/offline/old_definitions.hpp"
#include "broker/store/rows.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store::offline {
namespace {

constexpr std::uint64_t commit_bytes = 4 << 20;

// The format until the import is complete: the files of an import that was killed must not be used as a store.
constexpr std::uint32_t format_unfinished = 0xFFFFFFFF;

storage_failure failed(std::string_view what, const std::filesystem::path& path) {
  return storage_failure(fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

// Makes the directory with a lock file, so that it can be locked from the start.
const std::filesystem::path& with_lock_file(const std::filesystem::path& directory) {
  make_directory(directory);  // a failure shows in what follows
  const std::filesystem::path path = directory / owner_file;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) throw failed("make", path);
  ::close(file);
  return directory;
}

// Reads a block up to format 4: its deliveries are a place u16 and a count u32 each.
ack_block block_of_old_format(std::string_view value) {
  byte_reader reader(value);
  ack_block block;
  block.bits = reader.take(offsets_per_block / 8);
  while (!reader.at_end()) {
    const auto place = reader.be<std::uint16_t>();
    block.deliveries.emplace_back(place, std::min(reader.be<std::uint32_t>(), deliveries_max));
  }
  if (reader.failed()) throw storage_failure("the archive is damaged: a block of acknowledgements does not decode");
  return block;
}

// The files of a store that is being made. Until finish(), their format says that they are no store yet.
class unfinished_store {
 public:
  unfinished_store(const std::filesystem::path& directory, std::uint64_t bytes_max)
      : lock_(with_lock_file(directory), lmdb::access::write),
        directory_(directory),
        bytes_max_(bytes_max),
        env_(directory, bytes_max),
        tables_(open_tables(env_)) {
    txn_.emplace(env_, lmdb::access::write);
    put_format(format_unfinished);
    commit();
  }

  void fill(const fill_step& step) const {
    fill_with_zeros(directory_ / store_file, bytes_max_, "make room or give a smaller --bytes-max", step);
  }
  std::uint64_t bytes_max() const { return bytes_max_; }
  const tables& rows() const { return tables_; }

  // Writes a row with its CRC.
  void put(lmdb::table table, std::string_view key, const std::string& value) {
    const std::string row = sealed(key, value);
    txn_->put(table, key, row);
    count(key.size() + row.size());
  }
  void put_chunk(const chunk_place& place, const std::string& value) {
    store::put_chunk(*txn_, tables_.chunk, place, value, row_bytes);
    count(value.size());
  }
  // Adds an empty journal as a clean stop leaves it, and makes the files a store. A start makes the journal as long as
  // its configuration says.
  void finish(commit_number last_commit, const commit_time& time) {
    const ring_id id = new_ring_id();
    make_ring(directory_ / journal_file, std::min(writer_options{}.journal_bytes_max, bytes_max_ / 4), id, {});
    journal_row row;
    row.ring = id;
    row.head.commit = row.in_tables = last_commit;
    row.time = time;
    put(tables_.meta, meta_journal, encode(row));
    put_format(format_version);
    txn_->commit();
    put_format_file(directory_);
    sync_directory(directory_);
  }

 private:
  void put_format(std::uint32_t version) {
    std::string value;
    append_be(value, version);
    txn_->put(tables_.meta, meta_format, value);
  }
  void count(std::size_t bytes) {
    uncommitted_ += bytes;
    if (uncommitted_ >= commit_bytes) commit();
  }
  void commit() {
    txn_->commit();
    txn_.emplace(env_, lmdb::access::write);
    uncommitted_ = 0;
  }

  directory_lock lock_;
  std::filesystem::path directory_;
  std::uint64_t bytes_max_;
  lmdb::env env_;
  tables tables_;
  std::optional<lmdb::txn> txn_;
  std::uint64_t uncommitted_ = 0;
};

// One stream of the archive: its row, and the chunk that is being filled. `is_old`: the archive is of a format
// before 5. Until then, headers in a queue's records said what fields say now, and a queue's bytes counted more than
// bodies.
class arriving_stream {
 public:
  arriving_stream(const archived_stream& stream, bool is_old) : stream_(stream), is_old_(is_old) {
    stream_.state.covered_end = 0;
    stream_.state.times.clear();
    if (is_old_) stream_.state.held_bytes = 0;
  }

  stream_id id() const { return stream_.stream; }

  // Returns the block's row as this format has it.
  std::string take_block(std::uint64_t number, const std::string& value) {
    if (!is_old_) return value;
    const ack_block block = block_of_old_format(value);
    const offset_t base = number * offsets_per_block;
    for (offset_t bit = 0; bit < offsets_per_block; ++bit) {
      if ((block.bits[bit / 8] >> (bit % 8) & 1) != 0) acked_.insert({base + bit, base + bit + 1});
    }
    return encode(block);
  }

  // Appends a batch that came in its place. Error: it did not.
  result<void> take_batch(const batch_view& batch, unfinished_store& to) {
    const checkpoint& state = stream_.state;
    if (batch.base_offset < next_ || batch.last_offset < state.log_start || batch.last_offset >= state.next_offset) {
      return error{errc::invalid,
                   fmt::format("offsets {} to {} are out of place", batch.base_offset, batch.last_offset)};
    }
    next_ = batch.last_offset + 1;
    const bool changes = is_old_ && state.kind == stream_kind::queue;
    const std::string bytes = changes ? queue_batch(batch) : std::string(batch.bytes);
    const bool fits = batches_.empty() || batches_.size() + bytes.size() <= chunk_bytes_max - chunk_header_bytes;
    if (!fits) put_chunk(last_offset_, to);
    batches_.append(bytes);
    newest_ = std::max(newest_, batch.newest_timestamp_ms);
    last_offset_ = batch.last_offset;
    return {};
  }

  // Writes the last chunk and the stream's row.
  void finish(commit_number last_commit, unfinished_store& to) {
    checkpoint& state = stream_.state;
    // The chunks of a log cover every offset up to its end, whatever a compaction removed.
    const bool is_log = state.kind == stream_kind::log && !state.in_memory && state.next_offset > state.log_start;
    if (is_log) put_chunk(state.next_offset - 1, to);
    if (!is_log && !batches_.empty()) put_chunk(last_offset_, to);
    state.times = times_.all();
    state.commit = last_commit;
    to.put(to.rows().state, stream_key(id()), encode(state));
  }

 private:
  std::string queue_batch(const batch_view& batch) {
    record_reader records(batch);
    record_view record;
    batch_builder changed;
    while (records.next(record)) {
      const message_view message = to_message(record);
      changed.add(record.offset, record.timestamp_ms, message, record_form::queue);
      const bool is_live = record.offset >= stream_.state.log_start && !acked_.contains(record.offset);
      if (is_live) stream_.state.held_bytes += message.body.size();
    }
    if (records.failed() || changed.empty()) return std::string(batch.bytes);
    return changed.finish();
  }

  void put_chunk(offset_t last_offset, unfinished_store& to) {
    checkpoint& state = stream_.state;
    const std::int64_t newest = std::exchange(newest_, no_time), running = times_.add({last_offset, newest});
    // A gap in a log's chunks is no loss here: an export ends at what is missing.
    const bool is_repacked = state.kind == stream_kind::log;
    const chunk_header header{{id(), last_offset}, state.covered_end, newest, running, is_repacked};
    to.put_chunk(header.place, seal_chunk(header, batches_));
    state.chunk_bytes += batches_.size();
    batches_.clear();
    state.covered_end = last_offset + 1;
  }

  archived_stream stream_;
  bool is_old_;
  offset_set acked_;     // of an old queue
  offset_t next_ = 0;    // the lowest offset that the next batch may have
  std::string batches_;  // of the chunk that is being filled
  offset_t last_offset_ = 0;
  std::int64_t newest_ = no_time;
  newest_times times_;
};

class importer {
 public:
  importer(archive_reader& archive, unfinished_store& to, const import_options& options, const archive_header& header,
           const transfer_step& step)
      : archive_(archive), to_(to), keeps_incarnation_(options.keeps_incarnation), header_(header), step_(step) {}

  archive_counts run() {
    to_.fill([this](std::uint64_t bytes) {
      if (step_)
        step_(fmt::format("the empty file, {} of {} MiB", bytes / limits::mib, to_.bytes_max() / limits::mib), 0);
    });
    archive_section section = archive_.next();
    for (; section.type != section_type::end; section = archive_.next()) take(section);
    if (decode_counts(section) != counts_) fail_archive(section.at, "its end counts other sections than there were");
    archive_.finish();
    finish_stream();
    to_.finish(header_.last_commit, header_.time);
    return counts_;
  }

 private:
  void take(const archive_section& section) {
    switch (section.type) {
      case section_type::fact: {
        const archived_row row = decode_row(section);
        return put_fact(row.key, row.value);
      }
      case section_type::loss: {
        const archived_row row = decode_row(section);
        return put_row(to_.rows().loss, row.key, row.value);
      }
      case section_type::stream: return begin_stream(section);
      case section_type::block: return take_block(section);
      case section_type::batch: return take_batch(section);
      default: return take_old(section);
    }
  }

  // Sections of archive version 1.
  void take_old(const archive_section& section) {
    const archived_row row = decode_row(section);
    switch (section.type) {
      case section_type::meta: return put_fact(fact_name(fact_space::store, row.key), row.value);
      case section_type::definition:
        return put_fact(fact_name(fact_space::definition, row.key), definition_from_json(row.key, row.value));
      case section_type::producer: return put_fact(producer_key(row.key), row.value);
      case section_type::cursor: return put_fact(cursor_key(stream_of(section).id(), row.key), row.value);
      default: fail_archive(section.at, fmt::format("a section of unknown type {}", static_cast<int>(section.type)));
    }
  }

  void put_fact(std::string_view name, std::string value) {
    check_fact_name(name);
    const fact_space space = space_of(name);
    const bool is_incarnation = name == fact_name(fact_space::store, meta_incarnation);
    if (is_incarnation && !keeps_incarnation_) value = new_incarnation();
    const fact_row row = row_of(name, value);
    put_row(table_of(to_.rows(), space), row.key, row.value);
  }

  void put_row(lmdb::table table, std::string_view key, const std::string& value) {
    to_.put(table, key, value);
    ++counts_.rows;
  }

  arriving_stream& stream_of(const archive_section& section) {
    if (!stream_) fail_archive(section.at, "it belongs to a stream and stands before the first");
    return *stream_;
  }

  void report(stream_id stream) const {
    if (step_) step_(fmt::format("stream {}", static_cast<std::uint32_t>(stream)), archive_.bytes());
  }

  void begin_stream(const archive_section& section) {
    const archived_stream next = decode_stream(section, header_.format);
    if (stream_ && next.stream <= stream_->id()) fail_archive(section.at, "its streams are out of order");
    finish_stream();
    stream_.emplace(next, header_.format < format_version);
    ++counts_.streams;
    report(next.stream);
  }

  void take_block(const archive_section& section) {
    const archived_row row = decode_row(section);
    if (row.key.size() != sizeof(std::uint64_t)) fail_archive(section.at, "a block without a number");
    const auto block = load_be<std::uint64_t>(row.key.data());
    arriving_stream& stream = stream_of(section);
    put_row(to_.rows().state, block_key(stream.id(), block), stream.take_block(block, row.value));
  }

  void take_batch(const archive_section& section) {
    arriving_stream& stream = stream_of(section);
    const auto batch = read_batch(section.body);
    if (!batch || batch->bytes.size() != section.body.size()) {
      fail_archive(section.at, "a record batch does not decode");
    }
    check_batch(*batch, [&](const std::string& what) { fail_archive(section.at, fmt::format("a batch {}", what)); });
    const auto taken = stream.take_batch(*batch, to_);
    if (!taken) fail_archive(section.at, taken.error().text);
    ++counts_.batches;
    report(stream.id());
  }

  void finish_stream() {
    if (stream_) stream_->finish(header_.last_commit, to_);
  }

  archive_reader& archive_;
  unfinished_store& to_;
  bool keeps_incarnation_;
  archive_header header_;
  const transfer_step& step_;
  std::optional<arriving_stream> stream_;
  archive_counts counts_;
};

archive_header take_header(archive_reader& archive) {
  const archive_section section = archive.next();
  if (section.type != section_type::header) fail_archive(section.at, "it does not begin with a header");
  const archive_header header = decode_header(section);
  if (header.format >= archived_format_min && header.format <= format_version) return header;
  throw storage_failure(
      fmt::format("the archive is of a store of format {}, this program takes formats {} to {}: use the version that "
                  "wrote it",
                  header.format, archived_format_min, format_version));
}

archive_counts fill(archive_reader& archive, const new_store_place& place, const archive_header& header,
                    const import_options& options, const transfer_step& step) {
  const std::uint64_t bytes_max = options.bytes_max.value_or(header.map_bytes);
  try {
    unfinished_store made(place.directory(), bytes_max);
    return importer(archive, made, options, header, step).run();
  } catch (const lmdb::map_full&) {
    throw storage_failure(
        fmt::format("a store of {} MiB is too small for what the archive holds: give it more with "
                    "--bytes-max",
                    bytes_max / limits::mib));
  }
}

}  // namespace

new_store_place::new_store_place(std::filesystem::path directory) : directory_(std::move(directory)) {
  std::error_code failure;
  existed_ = std::filesystem::exists(directory_, failure);
  if (!existed_) return;
  if (std::filesystem::is_directory(directory_, failure) && std::filesystem::is_empty(directory_, failure)) return;
  is_kept_ = true;
  throw storage_failure(
      fmt::format("{} is not an empty directory: an import makes a store of its own, name a directory "
                  "that is empty or not there yet",
                  directory_.string()));
}

new_store_place::~new_store_place() {
  if (is_kept_) return;
  std::error_code ignored;
  for (const char* const file : {store_file, journal_file, format_file, "lock.mdb", owner_file}) {
    std::filesystem::remove(directory_ / file, ignored);
  }
  if (!existed_) std::filesystem::remove(directory_, ignored);
}

import_outcome import_archive(std::istream& in, const new_store_place& place, const import_options& options,
                              const transfer_step& step) {
  archive_reader archive(in);
  const archive_header header = take_header(archive);
  import_outcome outcome;
  outcome.counts = fill(archive, place, header, options, step);
  if (step) step("the check of the new store", archive.bytes());
  offline_store made(place.directory());
  outcome.found = inspect(made);
  if (outcome.found.verdict() != severity::damaged) return outcome;
  const auto damage = std::find_if(outcome.found.findings.begin(), outcome.found.findings.end(),
                                   [](const finding& one) { return one.level == severity::damaged; });
  throw storage_failure(
      fmt::format("the archive makes no sound store: {}: {}; was the old one sound? tidegate store "
                  "check tells",
                  damage->where, damage->what));
}

}  // namespace tidegate::store::offline
