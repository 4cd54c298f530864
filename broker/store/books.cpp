#include "broker/store/books.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"
#include "broker/base/log.hpp"
#include "broker/store/blob.hpp"
#include "broker/store/chunk.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/fields.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {

stream_id stream_of_key(std::string_view key) { return static_cast<stream_id>(load_be<std::uint32_t>(key.data() + 1)); }

namespace {

void read_block(stream_ledger& ledger, std::uint64_t block, std::string_view value) {
  const ack_block decoded = decode_block(value);
  const offset_range offsets = offsets_of(block, decoded);
  const offset_t base = offsets.begin;
  queue_marks& marks = ledger.marks.use();
  if (decoded.full_after > 0) marks.acked.insert(offsets);
  const auto is_set = [&](std::uint64_t bit) { return (decoded.bits[bit / 8] >> (bit % 8) & 1) != 0; };
  for (std::uint64_t begin = 0, end; begin < offsets_per_block; begin = end) {
    end = begin + 1;
    while (end < offsets_per_block && is_set(end) == is_set(begin)) ++end;
    if (is_set(begin)) marks.acked.insert({base + begin, base + end});
  }
  for (const auto& [place, count] : decoded.deliveries) marks.deliveries[base + place] = count;
  marks.stored_blocks.insert(block);
  // Freeing may have been interrupted by the end of the process.
  marks.blocks_to_thin.insert({block, offsets.end / offsets_per_block});
}

stream_ledger ledger_of(const checkpoint& checkpoint) {
  stream_ledger ledger;
  ledger.kind = checkpoint.kind;
  ledger.in_memory = checkpoint.in_memory;
  ledger.log_start = checkpoint.log_start;
  ledger.next = ledger.recent.rolled_end = checkpoint.next_offset;
  ledger.newest_timestamp_ms = checkpoint.newest_timestamp_ms;
  ledger.chunks.covered_end = checkpoint.covered_end;
  ledger.chunks.times = newest_times(checkpoint.times);
  ledger.chunks.bytes = checkpoint.chunk_bytes;
  ledger.maybe_delivered_before = checkpoint.maybe_delivered_before;
  ledger.held_bytes = checkpoint.held_bytes;
  ledger.dropped = checkpoint.dropped;
  ledger.age_marks.assign(checkpoint.age_marks.begin(), checkpoint.age_marks.end());
  ledger.debt.checkpointed = checkpoint.commit;
  return ledger;
}

// Scans the state table once. A stream's row ('S') sorts after its blocks ('B'), so blocks wait for it.
class state_reader {
 public:
  state_reader(books& books, contents* contents) : books_(books), contents_(contents) {}

  void read(std::string_view key, std::string_view value) {
    switch (key.front()) {
      case state_stream: {
        const checkpoint checkpoint = decode_checkpoint(value);
        newest_commit_ = std::max(newest_commit_, checkpoint.commit);
        books_.streams[stream_of_key(key)] = ledger_of(checkpoint);
        return;
      }
      case state_block: blocks_.emplace_back(key, value); return;
      default: {
        const found_fact fact = fact_in(key, value);
        check_fact_name(fact.name);
        if (contents_ != nullptr) contents_->facts.emplace(fact.name, fact.value);
      }
    }
  }

  // Returns the newest commit that a row names.
  commit_number newest_commit() const { return newest_commit_; }

  void finish() {
    for (const auto& [key, value] : blocks_) {
      const auto found = books_.streams.find(stream_of_key(key));
      if (found != books_.streams.end()) read_block(found->second, load_be<std::uint64_t>(key.data() + 5), value);
    }
    for (auto& [id, ledger] : books_.streams) {
      queue_marks* const marks = ledger.marks.used();
      if (marks == nullptr) continue;
      marks->acked.erase_below(ledger.log_start);
      marks->deliveries.erase(marks->deliveries.begin(), marks->deliveries.lower_bound(ledger.log_start));
    }
  }

 private:
  books& books_;
  contents* contents_;
  commit_number newest_commit_ = 0;
  std::vector<std::pair<std::string_view, std::string_view>> blocks_;
};

// Erases the facts whose name has this stream's number.
template <class Facts>
void erase_facts_of(Facts& facts, stream_id id) {
  std::string prefix = stream_key(id);
  for (char space = 'a'; space <= 'z'; ++space) {
    prefix.front() = space;
    auto fact = facts.lower_bound(prefix);
    while (fact != facts.end() && fact->first.starts_with(prefix)) fact = facts.erase(fact);
  }
}

// Applies the journal, oldest commit first. Skips what a checkpoint already has, and streams that are dropped later in
// the journal: their rows, and with them their checkpoints, may be gone already.
class journal_reader {
 public:
  void skip(stream_id id) { dropped_later_.insert(id); }

  journal_reader(books& books, contents* contents) : books_(books), contents_(contents) {
    visitor_.append = [this](stream_id id, std::string_view batch, std::uint32_t position) {
      append(id, batch, position);
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
    visitor_.fact = [this](std::string_view name, std::optional<std::string_view> value) { fact(name, value); };
    visitor_.created = [this](stream_id id, stream_kind kind, bool in_memory) {
      books_.next_stream = std::max(books_.next_stream, static_cast<std::uint32_t>(id) + 1);
      if (!dropped_later_.contains(id)) add_stream(books_, id, kind, in_memory, head_.commit);
    };
    visitor_.dropped = [this](stream_id id) {
      drop_stream(books_, id, head_.commit);
      if (contents_ != nullptr) erase_facts_of(contents_->facts, id);
    };
    visitor_.reserved = [this](stream_id id, offset_t end, const drop_totals& dropped) {
      if (auto* ledger = newer(id)) reserve_offsets(*ledger, end, dropped);
    };
    visitor_.age_marked = [this](stream_id id, const age_mark& mark) {
      if (auto* ledger = newer(id)) ledger->age_marks.push_back(mark);
    };
    visitor_.lost = [this](loss_number number, const loss_record& record, const drop_totals& totals) {
      books_.losses.found(number, record, head_.commit);
      if (auto* ledger = newer(record.stream)) ledger->dropped = totals;
    };
  }

  void read(std::string_view blob, const blob_head& head) {
    head_ = head;
    if (head.time.lifetime >= books_.time.lifetime) books_.time = head.time;
    books_.last_commit = head.commit;
    visit_blob(blob, visitor_);
  }

 private:
  stream_ledger* newer(stream_id id) {
    const auto found = books_.streams.find(id);
    const bool is_known = found != books_.streams.end() && !dropped_later_.contains(id);
    if (!is_known || head_.commit <= found->second.debt.checkpointed) return nullptr;
    mark_dirty(books_, id, found->second, head_.commit);
    return &found->second;
  }

  void append(stream_id id, std::string_view bytes, std::uint32_t position) {
    auto* const ledger = newer(id);
    if (ledger == nullptr) return;
    const auto batch = read_batch(bytes);
    if (!batch) throw store_damaged("the store is damaged: " + batch.error().text);
    if (batch->base_offset != ledger->next) throw store_damaged("the store is damaged: a stream's journal has a gap");
    ledger->add_segment(segment_of(*batch, head_.commit, head_.position + position));
  }

  void fact(std::string_view name, std::optional<std::string_view> value) {
    check_fact_name(name);
    if (is_of_stream(name) && !books_.streams.contains(stream_of_key(name))) return;
    if (contents_ != nullptr && value) contents_->facts.insert_or_assign(std::string(name), *value);
    if (contents_ != nullptr && !value) contents_->facts.erase(std::string(name));
    set_fact(books_, name, value ? std::optional(std::string(*value)) : std::nullopt, head_.commit);
  }

  books& books_;
  contents* contents_;
  blob_visitor visitor_;
  blob_head head_;
  std::set<stream_id> dropped_later_;
};

// Gives up chunks below the log start again: a log gives up chunks at once, and their rows are deleted later.
void give_up_left_overs(const lmdb::txn& txn, const tables& tables, stream_id id, stream_ledger& ledger) {
  if (ledger.kind != stream_kind::log) return;
  chunk_cursor chunks(txn, tables.chunk);
  chunks.seek(id, 0);
  while (const auto last = chunks.last_offset_in(id)) {
    ledger.chunks.first_last = last;
    if (*last >= ledger.log_start) return;
    const std::uint64_t bytes = chunks.bytes();
    chunks.next();
    ledger.chunks.give_up_first(bytes, chunks.last_offset_in(id));
  }
}

// Looks once for each stream, however many chunks it has. If freeing was interrupted by the end of a process, there are
// chunks below a log start, and chunks of deleted streams.
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
      stream->second.chunks.first_last = place.last_offset;
      if (place.last_offset < stream->second.log_start) {
        books.streams_to_free.insert(place.stream);
        give_up_left_overs(txn, tables, place.stream, stream->second);
      }
    } else if (is_in_place(place, row->value)) {
      books.orphans.insert(place.stream);
    } else {  // another stream's chunk under a damaged key: the readers of that stream report it missing
      log::error("the store is damaged: {} belongs elsewhere", row_name("chunk", row->key));
    }
    row = cursor.seek(chunk_key(place.stream, ~offset_t{0}, ~std::uint16_t{0}));
  }
  for (auto& [id, ledger] : books.streams) {
    const bool has_none = !ledger.chunks.first_last && ledger.chunks.given_up_bytes == 0;
    if (has_none) ledger.chunks.set_first(std::nullopt);
  }
}

// Skips damaged rows, because the next number must not follow from a damaged one. Readers of the ledger report the
// damage.
void find_newest_loss(const lmdb::txn& txn, const tables& tables, books& books) {
  lmdb::cursor cursor(txn, tables.loss);
  std::uint64_t left = txn.entries(tables.loss);
  for (auto row = cursor.last(); row && left > 0; row = cursor.previous(), --left) {
    if (unsealed(*row)) return books.losses.found(number_of_loss_key(row->key));
  }
}

// Returns whether the file has tables, but not the meta table of a store.
bool is_foreign(const lmdb::txn& txn) {
  lmdb::cursor names(txn, lmdb::table_of_tables);
  auto name = names.first();
  const bool is_empty = !name;
  while (name && name->key != "meta") name = names.next();
  return !is_empty && !name;
}

}  // namespace

lmdb::table table_of(const tables& tables, fact_space space) {
  if (space == fact_space::definition) return tables.catalog;
  return space == fact_space::store ? tables.meta : tables.state;
}

tables open_tables(lmdb::env& env) {
  lmdb::txn txn(env, lmdb::access::write);
  if (is_foreign(txn)) {
    throw store_damaged(
        "the file in the store's directory is another program's LMDB file; set store.path to a "
        "directory of its own");
  }
  const tables tables{env.open_table(txn, "chunk"), env.open_table(txn, "state"), env.open_table(txn, "catalog"),
                      env.open_table(txn, "loss"), env.open_table(txn, "meta")};
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

void check_pair(const ring& journal, const journal_row& row, const std::filesystem::path& directory) {
  const bool is_other = journal.id() != row.ring;
  if (!is_other && (journal.generation() == row.generation || journal.generation() == row.generation + 1)) return;
  throw store_damaged(fmt::format("the store is damaged: {} and {} in {} {}; put back the two that belong together",
                                  store_file, journal_file, directory.string(),
                                  is_other ? "are of two different stores"
                                           : fmt::format("are of one store at different times (start {} and start {})",
                                                         row.generation, journal.generation())));
}

std::string encode(const journal_row& row) {
  std::string value(row.ring.data(), row.ring.size());
  append_be(value, row.generation);
  append_be(value, row.head.commit);
  append_be(value, row.head.position);
  append_be(value, row.head.crc);
  append_be(value, row.in_tables);
  append_time(value, row.time);
  return value;
}

journal_row decode_journal_row(std::string_view value) {
  byte_reader reader(value);
  journal_row row;
  const std::string_view ring = reader.take(row.ring.size());
  std::copy(ring.begin(), ring.end(), row.ring.begin());
  row.generation = reader.be<std::uint64_t>();
  row.head.commit = reader.be<commit_number>();
  row.head.position = reader.be<ring_position>();
  row.head.crc = reader.be<std::uint32_t>();
  row.in_tables = reader.be<commit_number>();
  row.time = take_time(reader);
  check_whole(reader, "the journal's row");
  return row;
}

journal_row journal_row_of(const lmdb::txn& txn, const tables& tables) {
  const auto found = get_row(txn, tables.meta, meta_journal);
  if (!found) throw store_damaged("the store is damaged: its meta table lacks the journal's row");
  return decode_journal_row(*found);
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

std::string encode_flash_bytes(std::uint64_t bytes) {
  std::string value;
  append_be(value, bytes);
  return value;
}

namespace {

// Overhead of what is moved: it makes at least one chunk, which may be alone on its page.
constexpr std::uint64_t pledge_overhead_bytes = 4'096;

}  // namespace

void mark_dirty(books& books, stream_id id, stream_ledger& ledger, commit_number commit) {
  if (ledger.debt.dirty_since != 0) return;
  ledger.debt.dirty_since = commit;
  books.dirty_streams.emplace(commit, id);
}

void set_fact(books& books, std::string_view name, std::optional<std::string> value, commit_number commit) {
  dirty_fact& fact = books.dirty_facts[std::string(name)];
  fact = {std::move(value), fact.since == 0 ? commit : fact.since};
  if (books.facts_since == 0) books.facts_since = commit;
}

void add_stream(books& books, stream_id id, stream_kind kind, bool in_memory, commit_number commit) {
  books.next_stream = std::max(books.next_stream, static_cast<std::uint32_t>(id) + 1);
  const auto [stream, is_new] = books.streams.try_emplace(id);
  if (!is_new) return;
  stream->second.kind = kind;
  stream->second.in_memory = in_memory;
  mark_dirty(books, id, stream->second, commit);
}

void drop_stream(books& books, stream_id id, commit_number commit) {
  books.dropped.emplace(id, commit);
  const auto found = books.streams.find(id);
  if (found == books.streams.end()) return;
  books.dirty_streams.erase({found->second.debt.dirty_since, id});
  books.pledged_bytes -= found->second.debt.pledged_bytes;
  books.streams.erase(found);
  for (auto* const set : {&books.due, &books.streams_to_free, &books.streams_to_thin, &books.over_bound}) {
    set->erase(id);
  }
  books.losses.close(id);
  erase_facts_of(books.dirty_facts, id);
}

void reserve_offsets(stream_ledger& ledger, offset_t end, const drop_totals& dropped) {
  ledger.log_start = ledger.next = ledger.recent.rolled_end = end;
  ledger.dropped = dropped;
}

void count_pledge(books& books, stream_ledger& ledger) {
  const std::uint64_t pledge = ledger.recent.segments.empty() ? 0 : ledger.recent.bytes + pledge_overhead_bytes;
  books.pledged_bytes += pledge - ledger.debt.pledged_bytes;
  ledger.debt.pledged_bytes = pledge;
}

void suspect_deliveries(books& books) {
  for (auto& [id, ledger] : books.streams) {
    const bool is_filled = ledger.kind == stream_kind::queue && !ledger.in_memory;
    if (!is_filled || ledger.maybe_delivered_before == ledger.next) continue;
    ledger.maybe_delivered_before = ledger.next;
    mark_dirty(books, id, ledger, books.last_commit);
  }
}

books read_books(lmdb::env& env, const tables& tables, ring& journal, contents* contents) {
  books books;
  const lmdb::txn txn(env, lmdb::access::read);
  const auto take = [&](lmdb::table table, std::string_view letter, const lmdb::entry& found) {
    const std::string_view value = unsealed_or_fail(table, found);
    if (contents == nullptr) return;
    const found_fact fact = fact_in(found.key, value, letter);
    contents->facts.emplace(fact.name, fact.value);
  };
  each_row(txn, tables.meta, [&](const lmdb::entry& found) {
    if (found.key != meta_format) take(tables.meta, "M", found);
  });
  const journal_row row = journal_row_of(txn, tables);
  books.last_commit = row.head.commit;
  books.time = row.time;
  books.next_stream = books.next_stream_stored = next_stream_of(txn, tables);
  if (contents != nullptr) {
    each_row(txn, tables.catalog, [&](const lmdb::entry& found) { take(tables.catalog, "D", found); });
  }
  state_reader state(books, contents);
  each_row(txn, tables.state,
           [&](const lmdb::entry& entry) { state.read(entry.key, unsealed_or_fail(tables.state, entry)); });
  state.finish();
  find_newest_loss(txn, tables, books);
  journal_reader reader(books, contents);
  std::vector<std::string_view> blobs;
  journal.read(row.head, std::max(row.in_tables, state.newest_commit()), [&](std::string_view blob, const blob_head&) {
    blobs.push_back(blob);
    for (const stream_id id : streams_dropped_in(blob)) reader.skip(id);
  });
  for (const std::string_view blob : blobs) reader.read(blob, read_blob_head(blob));
  journal.file().release_pages();
  find_chunks(txn, tables, books);
  for (auto& [id, ledger] : books.streams) count_pledge(books, ledger);
  return books;
}

result<batch_view> segment_batch(const ring& journal, const segment& segment) {
  const auto batch = read_batch(journal.at(segment.position, segment.size));
  if (batch && batch->bytes.size() == segment.size && batch->base_offset == segment.first &&
      batch->last_offset == segment.last) {
    return *batch;
  }
  return error{errc::invalid,
               fmt::format("the store is damaged: commit {} of the journal lost a batch", segment.commit)};
}

}  // namespace tidegate::store
