// The books: the writer's in-memory state of all streams, facts and losses. They are read from the files at the start,
// and again after an aborted transaction.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/store/facts.hpp"
#include "broker/store/ledger.hpp"
#include "broker/store/lmdb.hpp"
#include "broker/store/losses.hpp"
#include "broker/store/ring.hpp"

namespace tidegate::store {

struct tables {
  lmdb::table chunk, state, catalog, loss, meta;
};

// Returns the table that holds the rows of a fact space.
lmdb::table table_of(const tables& tables, fact_space space);

// Creates missing tables. Throws storage_failure if the file is another program's.
tables open_tables(lmdb::env& env);

// A fact whose value in the journal is newer than its row.
struct dirty_fact {
  std::optional<std::string> value;  // none = erased
  commit_number since = 0;
};

struct books {
  std::map<stream_id, stream_ledger> streams;
  std::set<std::pair<commit_number, stream_id>> dirty_streams;  // ordered by dirty_since
  std::map<std::string, dirty_fact> dirty_facts;                // by name
  commit_number facts_since = 0;                                // oldest commit with one of these; 0 = none
  std::map<stream_id, commit_number>
      dropped;                          // and the commit that dropped them; they may still have rows in the state table
  std::set<stream_id> due;              // streams with many bytes in the journal
  std::set<stream_id> streams_to_free;  // streams with chunks below the log start
  std::set<stream_id> streams_to_thin;  // queues with many acknowledged messages after an unsettled one
  std::set<stream_id> orphans;          // deleted streams that still have chunks
  std::set<stream_id> over_bound;       // logs that exceed their bound since a roll-up
  store::losses losses;
  commit_time time;  // of the last commit
  commit_number last_commit = 0;
  std::uint32_t next_stream = 1;         // no stream has had this id or a higher one
  std::uint32_t next_stream_stored = 1;  // the value in the meta table
  std::uint64_t pledged_bytes = 0;       // room kept in the tables for what only the journal has
};

// The facts that a start finds. Core builds its state from them and from the streams.
struct contents {
  std::map<std::string, std::string> facts;  // by name
  // Calls `take` with each fact of the space: the name without its letter, and the value.
  template <class Take>
  void each(fact_space space, const Take& take) const {
    const std::string first = fact_name(space, "");
    for (auto fact = facts.lower_bound(first); fact != facts.end() && fact->first.starts_with(first); ++fact) {
      take(std::string_view(fact->first).substr(1), fact->second);
    }
  }
};

// The row in which the tables note which ring is theirs and how much of it they lack.
struct journal_row {
  ring_id ring{};
  std::uint64_t generation = 0;
  ring_place head;              // the ring's head when the row was written
  commit_number in_tables = 0;  // the last commit at that time
  commit_time time;             // the time of that commit
};
std::string encode(const journal_row& row);
journal_row decode_journal_row(std::string_view value);
// Throws store_damaged if there is no such row.
journal_row journal_row_of(const lmdb::txn& txn, const tables& tables);

// Returns the stream number in a key of the state table, or in a fact's name. The key must have one.
stream_id stream_of_key(std::string_view key);

// Throws storage_failure if the store has another format than this version's. The text names `directory` and a way out.
void check_format(const lmdb::txn& txn, const tables& tables, const std::filesystem::path& directory);

// Returns the lowest id that no stream has had, as far as the tables know.
std::uint32_t next_stream_of(const lmdb::txn& txn, const tables& tables);

// Returns the bytes written to flash since the store was made, as last noted; 0 = never noted.
std::uint64_t flash_bytes_of(const lmdb::txn& txn, const tables& tables);
std::string encode_flash_bytes(std::uint64_t bytes);

// Throws store_damaged if ring and tables belong to different stores, or if one is older than the other.
void check_pair(const ring& journal, const journal_row& row, const std::filesystem::path& directory);

// Reads the tables, then applies the journal. `contents`, if not null, receives the facts. Throws storage_failure if
// anything does not decode.
books read_books(lmdb::env& env, const tables& tables, ring& journal, contents* contents = nullptr);

// Notes that the stream's row lacks this commit, unless it already lacks an older one.
void mark_dirty(books& books, stream_id id, stream_ledger& ledger, commit_number commit);
void set_fact(books& books, std::string_view name, std::optional<std::string> value, commit_number commit);
// Adds a stream. A stream that exists stays as it is.
void add_stream(books& books, stream_id id, stream_kind kind, bool in_memory, commit_number commit);
void drop_stream(books& books, stream_id id, commit_number commit);
// For a memory stream: sets its log start and next offset to `end`. Its row is that of an empty stream.
void reserve_offsets(stream_ledger& ledger, offset_t end, const drop_totals& dropped);
// Updates `pledged_bytes`. Call after each change of the stream's batches in the journal.
void count_pledge(books& books, stream_ledger& ledger);

// Marks all messages of every queue as possibly delivered. Call after an unclean stop: a first delivery is not written.
void suspect_deliveries(books& books);

// Returns the segment's batch in the journal. The caller checks the batch's CRC. Error: another batch, or none, is in
// its place.
result<batch_view> segment_batch(const ring& journal, const segment& segment);

}  // namespace tidegate::store
