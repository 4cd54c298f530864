// For tests: a small store in a directory of its own, stepped by hand. Assigns each stream's offsets as core would.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/rows.hpp"
#include "broker/store/store.hpp"

namespace tidegate::store {

// Throws, which ends the test, if the condition is false.
inline void require(bool condition, const std::string& text) {
  if (!condition) throw std::logic_error(text);
}

// Returns how many rounds a test makes: more with `tests/run.sh --long`.
template <class Number>
Number rounds(Number usual, Number with_long) {
  return std::getenv("TIDEGATE_LONG") == nullptr ? usual : with_long;
}

class scratch_directory {
 public:
  scratch_directory() {
    const std::filesystem::path memory = "/dev/shm";
    const auto base = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    std::string name = (base / "tidegate-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    path_ = name;
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  ~scratch_directory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct scratch_options {
  std::uint64_t bytes_max = 8 << 20;
  std::uint64_t journal_bytes_max = 256 * 1024;
  std::uint64_t loss_rows_max = 10'000;
  std::uint64_t memory_bytes_max = 4 << 20;
};

class scratch_store {
 public:
  explicit scratch_store(scratch_options options = {}) : options_(options) { open(); }

  void open() {
    store_ = std::make_unique<store>(store_options_now());
    // Sets bounds again, as core does: they are part of the definitions.
    for (const auto& [id, limits] : limits_) {
      open_group().change_stream({stream_change::what::limit, id, stream_kind::log, limits});
    }
  }
  // Ends as a killed process would.
  void kill() { store_.reset(); }
  void close() {
    store_->close();
    store_.reset();
  }
  void reopen_killed() {
    kill();
    open();
  }
  void reopen_closed() {
    close();
    open();
  }

  store* operator->() { return store_.get(); }
  store& get() { return *store_; }
  commit_group& open_group() { return store_->open_group(); }
  const std::filesystem::path& path() const { return directory_.path(); }
  store_options store_options_now() const {
    return {directory_.path(),
            options_.bytes_max,
            {options_.journal_bytes_max, options_.loss_rows_max},
            false,
            false,
            options_.memory_bytes_max};
  }

  void commit_offset(stream_id id, std::string_view group, offset_t offset) {
    open_group().set_cursor(id, group, {offset, ""});
  }
  stream_id make(stream_kind kind, stream_limits limits = {}, bool in_memory = false) {
    const stream_id id = store_->new_stream_id();
    if (kind == stream_kind::log) limits_[id] = limits;
    open_group().change_stream({stream_change::what::create, id, kind, limits, in_memory});
    return id;
  }
  stream_id make_queue() { return make(stream_kind::queue); }
  stream_id make_log(stream_limits limits = {}) { return make(stream_kind::log, limits); }
  void drop(stream_id id) { open_group().change_stream({stream_change::what::drop, id, stream_kind::queue, {}}); }

  offset_t append(stream_id id, std::string_view body, std::int64_t timestamp_ms = 0) {
    message_view message;
    message.body = body;
    const offset_t offset = next_[id]++;
    open_group().append(id, offset, timestamp_ms, message);
    return offset;
  }
  void append_many(stream_id id, int count, std::size_t body_bytes) {
    for (int i = 0; i < count; ++i) append(id, std::string(body_bytes, static_cast<char>('a' + i % 26)));
  }
  // Appends a batch as a producer may send it: `attributes` names a codec, and the records are any bytes.
  void append_opaque(stream_id id, std::uint32_t count, std::string_view records, std::int64_t timestamp_ms = 0) {
    open_group().append_batch(id, opaque_batch(next_[id], count, records, timestamp_ms));
    next_[id] += count;
  }
  void ack(stream_id id, offset_t offset) { open_group().ack(id, offset); }
  void ack(stream_id id, offset_range range) {
    for (offset_t offset = range.begin; offset < range.end; ++offset) ack(id, offset);
  }
  offset_t next(stream_id id) { return next_[id]; }
  void set_next(stream_id id, offset_t next) { next_[id] = next; }

  // These two take effect at the next start.
  void set_loss_rows_max(std::uint64_t rows) { options_.loss_rows_max = rows; }
  void set_journal_bytes_max(std::uint64_t bytes) { options_.journal_bytes_max = bytes; }
  // Sets the age of the store for the next commits.
  void set_lifetime(milliseconds lifetime) {
    time_.lifetime = lifetime;
    time_.wall = milliseconds(1'700'000'000'000) + lifetime;
  }
  void stamp() { open_group().contents().time = time_; }
  commit_result commit_at(milliseconds lifetime) {
    set_lifetime(lifetime);
    return commit();
  }
  commit_result commit() {
    stamp();
    store_->submit();
    store_->step();
    auto result = store_->collect();
    require(result.has_value(), "a commit without a result");
    return std::move(*result);
  }
  commit_result commit_until_idle() {
    commit_result result = commit();
    while (result.work_left) result = commit();
    return result;
  }
  const stream_view& view(stream_id id) { return *store_->read().find(id); }

  // Returns what a reader finds from `from` on, between the log start and the end.
  std::map<offset_t, std::string> bodies(stream_id id, offset_t from = 0) {
    std::map<offset_t, std::string> found;
    const stream_view* const view = store_->read().find(id);
    if (view == nullptr) return found;
    offset_t behind = 0;
    const auto scanned = store_->read().scan(id, from, [&](const batch_view& batch) {
      require(batch.base_offset >= behind, fmt::format("a scan went back to offset {}", batch.base_offset));
      require(batch.last_offset < view->end, fmt::format("a scan went past the end, to {}", batch.last_offset));
      behind = batch.last_offset + 1;
      record_reader records(batch);
      record_view record;
      while (records.next(record)) {
        if (record.offset >= std::max(from, view->log_start)) found[record.offset] = record.body;
      }
      require(records.failed() == batch.compressed(), fmt::format("the batch at {} is malformed", batch.base_offset));
      return true;
    });
    if (!scanned) throw std::logic_error(scanned.error().text);
    return found;
  }

  static std::string opaque_batch(offset_t base, std::uint32_t count, std::string_view records,
                                  std::int64_t timestamp_ms);

 private:
  scratch_options options_;
  scratch_directory directory_;
  std::unique_ptr<store> store_;
  std::map<stream_id, offset_t> next_;
  std::map<stream_id, stream_limits> limits_;
  commit_time time_;
};

inline std::string scratch_store::opaque_batch(offset_t base, std::uint32_t count, std::string_view records,
                                               std::int64_t timestamp_ms) {
  constexpr std::uint16_t lz4 = 3;
  batch_builder builder;
  builder.add(record_view{base, timestamp_ms, {}, records, {}});
  std::string batch = builder.finish();
  batch.resize(record_batch_header_bytes);
  batch.append(records);
  store_be<std::uint32_t>(batch.data() + 8, static_cast<std::uint32_t>(batch.size() - 12));
  store_be<std::uint16_t>(batch.data() + 21, lz4);
  store_be<std::uint32_t>(batch.data() + 23, count - 1);
  store_be<std::uint32_t>(batch.data() + 57, count);
  store_be<std::uint32_t>(batch.data() + 17, crc32c(std::string_view(batch).substr(21)));
  return batch;
}

// Returns facts by their name without the space's letter; offsets by cursor_key().
inline std::map<std::string, std::string> definitions_in(const contents& found) {
  std::map<std::string, std::string> rows;
  found.each(fact_space::definition, [&](auto name, auto value) { rows.emplace(name, value); });
  return rows;
}
inline std::map<std::string, cursor_state> cursors_in(const contents& found) {
  std::map<std::string, cursor_state> rows;
  constexpr auto space = fact_space::committed_offset;
  found.each(space, [&](auto name, auto value) { rows.emplace(fact_name(space, name), decode_cursor(value)); });
  return rows;
}
inline std::map<std::string, producer_state> producers_in(const contents& found) {
  std::map<std::string, producer_state> rows;
  found.each(fact_space::producer, [&](auto name, auto value) { rows.emplace(name, decode_producer(value)); });
  return rows;
}

// The file of a store that is not open, to read its rows and to damage them.
class raw_file {
 public:
  explicit raw_file(const std::filesystem::path& directory) : env_(directory, 8 << 20), tables_(open_tables(env_)) {}

  std::string_view name(lmdb::table tables::*table) const { return (tables_.*table).name; }
  std::map<std::string, std::string> rows(lmdb::table tables::*table) {
    std::map<std::string, std::string> found;
    const lmdb::txn txn(env_, lmdb::access::read);
    lmdb::cursor cursor(txn, tables_.*table);
    for (auto row = cursor.first(); row; row = cursor.next()) found.emplace(row->key, row->value);
    return found;
  }
  // Returns the value without its seal.
  std::string row(lmdb::table tables::*table, std::string_view key) {
    const lmdb::txn txn(env_, lmdb::access::read);
    return std::string(get_row(txn, tables_.*table, key).value());
  }
  void put(lmdb::table tables::*table, std::string_view key, std::string_view value) {
    lmdb::txn txn(env_, lmdb::access::write);
    txn.put(tables_.*table, key, value);
    txn.commit();
  }
  // Writes the value with the right seal.
  void put_row(lmdb::table tables::*table, std::string_view key, std::string value) {
    put(table, key, sealed(key, std::move(value)));
  }
  void erase(lmdb::table tables::*table, std::string_view key) {
    lmdb::txn txn(env_, lmdb::access::write);
    txn.erase(tables_.*table, key);
    txn.commit();
  }

 private:
  lmdb::env env_;
  tables tables_;
};

}  // namespace tidegate::store
