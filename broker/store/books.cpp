#include "broker/store/books.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/log.hpp"
#include "broker/store/blob.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {
namespace {

void read_block(stream_ledger& ledger, std::uint64_t block, std::string_view value) {
  const ack_block decoded = decode_block(value);
  const offset_t base = block * offsets_per_block;
  const auto is_set = [&](std::uint64_t bit) { return (decoded.bits[bit / 8] >> (bit % 8) & 1) != 0; };
  for (std::uint64_t begin = 0, end; begin < offsets_per_block; begin = end) {
    end = begin + 1;
    while (end < offsets_per_block && is_set(end) == is_set(begin)) ++end;
    if (is_set(begin)) ledger.acked.insert({base + begin, base + end});
  }
  for (const auto& [place, count] : decoded.deliveries) ledger.deliveries[base + place] = count;
  ledger.stored_blocks.insert(block);
  // Freeing may have been cut short by the end of the process.
  ledger.blocks_to_thin.insert(block);
}

stream_ledger ledger_of(const checkpoint& checkpoint) {
  stream_ledger ledger;
  ledger.kind = checkpoint.kind;
  ledger.in_memory = checkpoint.in_memory;
  ledger.log_start = checkpoint.log_start;
  ledger.next = ledger.rolled_end = checkpoint.next_offset;
  ledger.newest_timestamp_ms = checkpoint.newest_timestamp_ms;
  ledger.chunk_bytes = checkpoint.chunk_bytes;
  ledger.maybe_delivered_before = checkpoint.maybe_delivered_before;
  ledger.held_bytes = checkpoint.held_bytes;
  ledger.dropped = checkpoint.dropped;
  ledger.age_marks.assign(checkpoint.age_marks.begin(), checkpoint.age_marks.end());
  ledger.checkpointed = checkpoint.commit;
  return ledger;
}

// One scan over the state table. A stream's row ('S') sorts behind its blocks ('B'), so blocks wait for it.
class state_reader {
 public:
  state_reader(books& books, contents* contents) : books_(books), contents_(contents) {}

  void read(std::string_view key, std::string_view value) {
    switch (key.front()) {
      case state_stream: {
        const checkpoint checkpoint = decode_checkpoint(value);
        books_.last_commit = std::max(books_.last_commit, checkpoint.commit);
        books_.streams[stream_of_key(key)] = ledger_of(checkpoint);
        return;
      }
      case state_block: blocks_.emplace_back(key, value); return;
      case state_cursor:
        if (contents_ != nullptr) contents_->cursors[std::string(key)] = decode_cursor(value);
        return;
      case state_producer:
        if (contents_ != nullptr) contents_->producers[std::string(key.substr(1))] = decode_producer(value);
        return;
      default: throw store_damaged("the store is damaged: a state row of unknown kind");
    }
  }

  void finish() {
    for (const auto& [key, value] : blocks_) {
      const auto found = books_.streams.find(stream_of_key(key));
      if (found != books_.streams.end()) read_block(found->second, load_be<std::uint64_t>(key.data() + 5), value);
    }
    for (auto& [id, ledger] : books_.streams) {
      ledger.acked.erase_below(ledger.log_start);
      ledger.deliveries.erase(ledger.deliveries.begin(), ledger.deliveries.lower_bound(ledger.log_start));
    }
  }

 private:
  books& books_;
  contents* contents_;
  std::vector<std::pair<std::string_view, std::string_view>> blocks_;
};

// Applies the journal, oldest first. What a checkpoint already has is skipped.
class journal_reader {
 public:
  journal_reader(books& books, contents* contents) : books_(books), contents_(contents) {
    visitor_.head = [this](const blob_head& head) {
      sequence_.take(key_, head);
      books_.time = head.time;
    };
    visitor_.append = [this](stream_id id, std::string_view batch, blob_writer::place place) {
      append(id, batch, place);
    };
    visitor_.acked = [this](stream_id id, offset_range range) {
      if (auto* ledger = newer(id)) ledger->ack(range);
    };
    visitor_.delivered = [this](stream_id id, offset_t offset, std::uint32_t count) {
      if (auto* ledger = newer(id)) ledger->set_deliveries(offset, count);
    };
    visitor_.trimmed = [this](stream_id id, offset_t log_start) {
      if (auto* ledger = newer(id)) ledger->trim_to(log_start);
    };
    visitor_.held = [this](stream_id id, std::uint64_t bytes) {
      if (auto* ledger = newer(id)) ledger->held_bytes = bytes;
    };
    visitor_.cursor = [this](stream_id id, std::string_view group, cursor_state cursor) {
      this->cursor(id, group, cursor);
    };
    visitor_.producer = [this](std::string_view name, std::optional<producer_state> state) { producer(name, state); };
    visitor_.age_marked = [this](stream_id id, const age_mark& mark) {
      if (auto* ledger = newer(id)) ledger->age_marks.push_back(mark);
    };
    visitor_.lost = [this](loss_number number, const loss_record& record, const drop_totals& totals) {
      books_.losses.found(number, record, commit_);
      if (auto* ledger = newer(record.stream)) ledger->dropped = totals;
    };
  }

  void read(std::string_view key, std::string_view blob) {
    key_ = key;
    commit_ = commit_of_journal_key(key);
    if (books_.journal_head == 0) books_.journal_head = commit_;
    books_.last_commit = std::max(books_.last_commit, commit_);
    books_.journal_bytes += blob.size();
    visit_blob(blob, visitor_);
  }

  void finish() const {
    const std::string text = sequence_.complaint();
    if (!text.empty()) throw store_damaged("the store is damaged: " + text);
    if (books_.last_commit == sequence_.last_commit()) return;
    throw store_damaged(
        fmt::format("the store is damaged: the journal ends with commit {}, and a stream was written in {}",
                    sequence_.last_commit(), books_.last_commit));
  }

 private:
  stream_ledger* newer(stream_id id) {
    const auto found = books_.streams.find(id);
    if (found == books_.streams.end() || commit_ <= found->second.checkpointed) return nullptr;
    mark_dirty(books_, id, found->second, commit_);
    return &found->second;
  }

  void append(stream_id id, std::string_view bytes, blob_writer::place place) {
    auto* const ledger = newer(id);
    if (ledger == nullptr) return;
    const auto batch = read_batch(bytes);
    if (!batch) throw store_damaged("the store is damaged: " + batch.error().text);
    if (batch->base_offset != ledger->next) throw store_damaged("the store is damaged: a stream's journal has a gap");
    ledger->add_segment(segment_of(*batch, commit_, place));
  }

  void cursor(stream_id id, std::string_view group, const cursor_state& state) {
    if (!books_.streams.contains(id)) return;
    std::string key = cursor_key(id, group);
    if (contents_ != nullptr) contents_->cursors[key] = state;
    set_cursor(books_, std::move(key), state, commit_);
  }

  void producer(std::string_view name, const std::optional<producer_state>& state) {
    if (contents_ != nullptr && state) contents_->producers[std::string(name)] = *state;
    if (contents_ != nullptr && !state) contents_->producers.erase(std::string(name));
    set_producer(books_, name, state, commit_);
  }

  books& books_;
  contents* contents_;
  blob_visitor visitor_;
  journal_sequence sequence_;
  std::string_view key_;  // of the blob that is read
  commit_number commit_ = 0;
};

// One look a stream, however many chunks it has. Where freeing was cut short by the end of a process there are chunks
// below a log start, and of streams that are no more.
void find_chunks(const lmdb::txn& txn, const tables& tables, books& books) {
  lmdb::cursor cursor(txn, tables.chunk);
  std::string before;
  for (auto row = cursor.first(); row;) {
    if (row->key <= before) {
      throw store_damaged(fmt::format("the store is damaged: {} stands out of order", row_name("chunk", row->key)));
    }
    before = row->key;
    const chunk_place place = place_of_chunk_key(row->key);
    const auto stream = books.streams.find(place.stream);
    if (stream != books.streams.end()) {
      stream->second.first_chunk_last = place.last_offset;
      if (place.last_offset < stream->second.log_start) books.streams_to_free.insert(place.stream);
    } else if (is_in_place(place, row->value)) {
      books.dropped.insert(place.stream);
    } else {  // another stream's, under a damaged key: its readers tell that it is missing
      log::error("the store is damaged: {} belongs elsewhere", row_name("chunk", row->key));
    }
    row = cursor.seek(chunk_key(place.stream, ~offset_t{0}, ~std::uint16_t{0}));
  }
  for (auto& [id, ledger] : books.streams) ledger.set_first_chunk(ledger.first_chunk_last);
}

// A damaged number must not be gone on from. That it is damaged is told to those who read the ledger.
void find_newest_loss(const lmdb::txn& txn, const tables& tables, books& books) {
  lmdb::cursor cursor(txn, tables.loss);
  std::uint64_t left = txn.entries(tables.loss);
  for (auto row = cursor.last(); row && left > 0; row = cursor.previous(), --left) {
    if (unsealed(*row)) return books.losses.found(number_of_loss_key(row->key));
  }
}

// Something is in the file, and it is not ours.
bool is_foreign(const lmdb::txn& txn) {
  lmdb::cursor names(txn, lmdb::table_of_tables);
  auto name = names.first();
  const bool is_empty = !name;
  while (name && name->key != "meta") name = names.next();
  return !is_empty && !name;
}

}  // namespace

stream_id stream_of_key(std::string_view key) { return static_cast<stream_id>(load_be<std::uint32_t>(key.data() + 1)); }

tables open_tables(lmdb::env& env) {
  lmdb::txn txn(env, lmdb::access::write);
  if (is_foreign(txn)) {
    throw store_damaged(
        "the file in the store's directory is another program's LMDB file; set store.path to a "
        "directory of its own");
  }
  const tables tables{env.open_table(txn, "journal"), env.open_table(txn, "chunk"), env.open_table(txn, "state"),
                      env.open_table(txn, "catalog"), env.open_table(txn, "loss"),  env.open_table(txn, "meta")};
  txn.commit();
  return tables;
}

void check_format(const lmdb::txn& txn, const tables& tables, const std::filesystem::path& directory) {
  const auto row = txn.get(tables.meta, meta_format);
  if (!row) throw store_damaged("the store is damaged: its meta table lacks the format");
  byte_reader reader(*row);
  const auto version = reader.be<std::uint32_t>();
  if (!reader.failed() && reader.at_end() && version == format_version) return;
  const bool can_travel = version >= archived_format_min && version < format_version;
  throw storage_failure(fmt::format("the store in {} has format {}, this version reads format {}: {}",
                                    directory.string(), version, format_version,
                                    can_travel ? "make an archive of it with `tidegate store export` of the version "
                                                 "that wrote it, and a new store of that with `tidegate store import` "
                                                 "of this one; or start with an empty directory"
                                               : "use the version that wrote it, or start with an empty directory"));
}

std::uint32_t next_stream_of(const lmdb::txn& txn, const tables& tables) {
  const auto found = get_row(txn, tables.meta, meta_next_stream);
  if (!found) return 1;
  byte_reader reader(*found);
  return reader.be<std::uint32_t>();
}

std::uint64_t flash_bytes_of(const lmdb::txn& txn, const tables& tables) {
  const auto found = get_row(txn, tables.meta, meta_flash_bytes);
  if (!found) return 0;
  byte_reader reader(*found);
  return reader.be<std::uint64_t>();
}

void put_flash_bytes(lmdb::txn& txn, const tables& tables, std::uint64_t bytes) {
  std::string value;
  append_be(value, bytes);
  put_row(txn, tables.meta, meta_flash_bytes, std::move(value));
}

void mark_dirty(books& books, stream_id id, stream_ledger& ledger, commit_number commit) {
  if (ledger.dirty_since != 0) return;
  ledger.dirty_since = commit;
  books.dirty_streams.emplace(commit, id);
}

void set_cursor(books& books, std::string key, cursor_state state, commit_number commit) {
  auto& entry = books.dirty_cursors[std::move(key)];
  entry = {std::move(state), entry.since == 0 ? commit : entry.since};
  if (books.states_since == 0) books.states_since = commit;
}

void set_producer(books& books, std::string_view name, std::optional<producer_state> state, commit_number commit) {
  auto& entry = books.dirty_producers[std::string(name)];
  entry = {state, entry.since == 0 ? commit : entry.since};
  if (books.states_since == 0) books.states_since = commit;
}

void suspect_deliveries(books& books) {
  for (auto& [id, ledger] : books.streams) {
    const bool is_filled = ledger.kind == stream_kind::queue && !ledger.in_memory;
    if (!is_filled || ledger.maybe_delivered_before == ledger.next) continue;
    ledger.maybe_delivered_before = ledger.next;
    mark_dirty(books, id, ledger, books.last_commit);
  }
}

books read_books(lmdb::env& env, const tables& tables, contents* contents) {
  books books;
  const lmdb::txn txn(env, lmdb::access::read);
  each_row(txn, tables.meta, [&](const lmdb::entry& row) {
    if (row.key != meta_format) unsealed_or_fail(tables.meta, row);
  });
  if (contents != nullptr) {
    each_row(txn, tables.catalog, [&](const lmdb::entry& row) {
      contents->definitions.emplace_back(row.key, unsealed_or_fail(tables.catalog, row));
    });
  }
  state_reader state(books, contents);
  each_row(txn, tables.state,
           [&](const lmdb::entry& row) { state.read(row.key, unsealed_or_fail(tables.state, row)); });
  state.finish();
  find_newest_loss(txn, tables, books);
  journal_reader journal(books, contents);
  lmdb::read_ahead ahead;
  each_row(txn, tables.journal, [&](const lmdb::entry& row) {
    ahead.touch(row.value);
    journal.read(row.key, row.value);
  });
  journal.finish();
  find_chunks(txn, tables, books);
  return books;
}

result<std::optional<batch_view>> segment_batch(const lmdb::txn& txn, const tables& tables, const segment& segment) {
  const auto blob = txn.get(tables.journal, journal_key(segment.commit, segment.part));
  if (!blob) return std::optional<batch_view>();
  if (segment.position <= blob->size()) {
    const auto batch = read_batch(blob->substr(segment.position));
    if (batch && batch->bytes.size() == segment.size && batch->base_offset == segment.first &&
        batch->last_offset == segment.last) {
      return std::optional<batch_view>(*batch);
    }
  }
  return error{errc::invalid,
               fmt::format("the store is damaged: commit {} of the journal lost a batch", segment.commit)};
}

}  // namespace tidegate::store
