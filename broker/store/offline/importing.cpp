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

// In the place of the format until the import is through: what was left behind by one that was killed must not be taken
// for a store.
constexpr std::uint32_t format_unfinished = 0xFFFFFFFF;

storage_failure failed(std::string_view what, const std::filesystem::path& path) {
  return storage_failure(fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

// With a lock file, so that there is something to lock from the beginning.
const std::filesystem::path& with_lock_file(const std::filesystem::path& directory) {
  make_directory(directory);  // a failure shows in what follows
  const std::filesystem::path path = directory / owner_file;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) throw failed("make", path);
  ::close(file);
  return directory;
}

// With deliveries as a place u16 and a count u32 each.
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

class importer {
 public:
  importer(archive_reader& archive, const std::filesystem::path& directory, std::uint64_t bytes_max,
           const import_options& options, const archive_header& header, const transfer_step& step)
      : archive_(archive),
        lock_(with_lock_file(directory), lmdb::access::write),
        directory_(directory),
        file_(directory / store_file),
        bytes_max_(bytes_max),
        keeps_incarnation_(options.keeps_incarnation),
        env_(directory, bytes_max),
        tables_(open_tables(env_)),
        header_(header),
        step_(step) {}

  archive_counts run() {
    txn_.emplace(env_, lmdb::access::write);
    put_format(format_unfinished);
    commit();
    fill_file();
    archive_section section = archive_.next();
    for (; section.type != section_type::end; section = archive_.next()) take(section);
    if (decode_counts(section) != counts_) fail_archive(section.at, "its end counts other sections than there were");
    archive_.finish();
    finish_stream();
    put_journal();
    put_format(format_version);
    txn_->commit();
    put_format_file(directory_);
    sync_directory(directory_);
    return counts_;
  }

 private:
  // Behind the mark that it is unfinished.
  void fill_file() {
    fill_with_zeros(file_, bytes_max_, "make room or give a smaller --bytes-max", [&](std::uint64_t bytes) {
      if (step_) step_(fmt::format("the empty file, {} of {} MiB", bytes / limits::mib, bytes_max_ / limits::mib), 0);
    });
  }

  void take(const archive_section& section) {
    switch (section.type) {
      case section_type::fact: {
        const archived_row row = decode_row(section);
        return put_fact(row.key, row.value);
      }
      case section_type::loss: {
        const archived_row row = decode_row(section);
        return put_row(tables_.loss, row.key, row.value);
      }
      case section_type::stream: return begin_stream(section);
      case section_type::block: return take_block(section);
      case section_type::batch: return take_batch(section);
      default: return take_old(section);
    }
  }

  // Of version 1.
  void take_old(const archive_section& section) {
    const archived_row row = decode_row(section);
    switch (section.type) {
      case section_type::meta: return put_fact(fact_name(fact_space::store, row.key), row.value);
      case section_type::definition:
        return put_fact(fact_name(fact_space::definition, row.key), definition_from_json(row.key, row.value));
      case section_type::producer: return put_fact(producer_key(row.key), row.value);
      case section_type::cursor: return put_fact(cursor_key(stream_of(section).stream, row.key), row.value);
      default: fail_archive(section.at, fmt::format("a section of unknown type {}", static_cast<int>(section.type)));
    }
  }

  void put_fact(std::string_view name, std::string value) {
    check_fact_name(name);
    const fact_space space = space_of(name);
    const bool is_incarnation = name == fact_name(fact_space::store, meta_incarnation);
    if (is_incarnation && !keeps_incarnation_) value = new_incarnation();
    const fact_row row = row_of(name, value);
    put_row(table_of(tables_, space), row.key, row.value);
  }

  void put_row(lmdb::table table, std::string_view key, const std::string& value) {
    put(table, key, sealed(key, value));
    ++counts_.rows;
  }

  archived_stream& stream_of(const archive_section& section) {
    if (!stream_) fail_archive(section.at, "it belongs to a stream and stands before the first");
    return *stream_;
  }

  void begin_stream(const archive_section& section) {
    const archived_stream next = decode_stream(section, header_.format);
    if (stream_ && next.stream <= stream_->stream) fail_archive(section.at, "its streams are out of order");
    finish_stream();
    stream_ = next;
    acked_ = {};
    times_ = {};
    stream_->state.covered_end = 0;
    stream_->state.times.clear();
    if (is_old()) stream_->state.held_bytes = 0;
    ++counts_.streams;
    behind_ = 0;
    if (step_) step_(fmt::format("stream {}", static_cast<std::uint32_t>(next.stream)), archive_.bytes());
  }

  void take_block(const archive_section& section) {
    archived_row row = decode_row(section);
    if (row.key.size() != sizeof(std::uint64_t)) fail_archive(section.at, "a block without a number");
    const auto block = load_be<std::uint64_t>(row.key.data());
    if (is_old()) row.value = encode(block_of_old_format(row.value));
    if (is_old()) note_acked(block * offsets_per_block, decode_block(row.value));
    put_row(tables_.state, block_key(stream_of(section).stream, block), row.value);
  }

  void note_acked(offset_t base, const ack_block& block) {
    for (offset_t bit = 0; bit < offsets_per_block; ++bit) {
      if ((block.bits[bit / 8] >> (bit % 8) & 1) != 0) acked_.insert({base + bit, base + bit + 1});
    }
  }

  // Up to format 4, headers of its own said in a queue what one says now; and what a queue holds was not bodies alone,
  // or not known.
  bool is_old() const { return header_.format < format_version; }

  std::string queue_batch(const batch_view& batch) {
    record_reader records(batch);
    record_view record;
    batch_builder changed;
    while (records.next(record)) {
      const message_view message = to_message(record);
      changed.add(record.offset, record.timestamp_ms, message, record_form::queue);
      const bool is_live = record.offset >= stream_->state.log_start && !acked_.contains(record.offset);
      if (is_live) stream_->state.held_bytes += message.body.size();
    }
    if (records.failed() || changed.empty()) return std::string(batch.bytes);
    return changed.finish();
  }

  void take_batch(const archive_section& section) {
    const checkpoint& state = stream_of(section).state;
    const auto batch = read_batch(section.body);
    if (!batch || batch->bytes.size() != section.body.size()) {
      fail_archive(section.at, "a record batch does not decode");
    }
    check_batch(*batch, [&](const std::string& what) { fail_archive(section.at, fmt::format("a batch {}", what)); });
    if (batch->base_offset < behind_ || batch->last_offset < state.log_start ||
        batch->last_offset >= state.next_offset) {
      fail_archive(section.at,
                   fmt::format("offsets {} to {} are out of place", batch->base_offset, batch->last_offset));
    }
    behind_ = batch->last_offset + 1;
    const bool changes = is_old() && state.kind == stream_kind::queue;
    const std::string bytes = changes ? queue_batch(*batch) : section.body;
    if (!batches_.empty() && batches_.size() + bytes.size() > chunk_bytes_max - chunk_header_bytes) {
      put_chunk(last_offset_);
    }
    batches_.append(bytes);
    newest_ = std::max(newest_, batch->newest_timestamp_ms);
    last_offset_ = batch->last_offset;
    ++counts_.batches;
    if (step_) step_(fmt::format("stream {}", static_cast<std::uint32_t>(stream_->stream)), archive_.bytes());
  }

  void put_chunk(offset_t last_offset) {
    checkpoint& state = stream_->state;
    const std::int64_t newest = std::exchange(newest_, no_time), running = times_.add({last_offset, newest});
    // What is not there is gone by right: an export ends at what is missing.
    const bool is_repacked = state.kind == stream_kind::log;
    const chunk_header header{{stream_->stream, last_offset}, state.covered_end, newest, running, is_repacked};
    const std::string value = seal_chunk(header, batches_);
    store::put_chunk(*txn_, tables_.chunk, header.place, value, row_bytes);
    state.chunk_bytes += batches_.size();
    batches_.clear();
    state.covered_end = last_offset + 1;
    count(value.size());
  }

  void finish_stream() {
    if (!stream_) return;
    checkpoint& state = stream_->state;
    // Of a log the chunks cover all up to its end, whatever a compaction left of that.
    const bool is_log = state.kind == stream_kind::log && !state.in_memory && state.next_offset > state.log_start;
    if (is_log) put_chunk(state.next_offset - 1);
    if (!is_log && !batches_.empty()) put_chunk(last_offset_);
    state.times = times_.all();
    state.commit = header_.last_commit;
    const std::string key = stream_key(stream_->stream);
    put(tables_.state, key, sealed(key, encode(state)));
  }

  // As a clean stop leaves it: empty, behind the last commit. A start makes it as long as its configuration says.
  void put_journal() {
    const ring_id id = new_ring_id();
    ring::make(directory_ / journal_file, std::min(writer_options{}.journal_bytes_max, bytes_max_ / 4), id, {});
    journal_row row;
    row.ring = id;
    row.head.commit = row.in_tables = header_.last_commit;
    row.time = header_.time;
    put(tables_.meta, meta_journal, sealed(meta_journal, encode(row)));
  }

  void put_format(std::uint32_t version) {
    std::string value;
    append_be(value, version);
    txn_->put(tables_.meta, meta_format, value);
  }

  void put(lmdb::table table, std::string_view key, const std::string& value) {
    txn_->put(table, key, value);
    count(key.size() + value.size());
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

  archive_reader& archive_;
  directory_lock lock_;
  std::filesystem::path directory_, file_;
  std::uint64_t bytes_max_;
  bool keeps_incarnation_;
  lmdb::env env_;
  tables tables_;
  archive_header header_;
  const transfer_step& step_;
  std::optional<lmdb::txn> txn_;
  std::uint64_t uncommitted_ = 0;
  std::optional<archived_stream> stream_;
  offset_set acked_;  // of the stream, where it is needed
  offset_t behind_ = 0;
  std::string batches_;  // of the chunk that is being filled
  std::int64_t newest_ = no_time;
  newest_times times_;
  offset_t last_offset_ = 0;
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
    return importer(archive, place.directory(), bytes_max, options, header, step).run();
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
