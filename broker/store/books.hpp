// The writer's whole knowledge, read from the files at start and after an aborted transaction.
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

// Where facts of this space have their rows.
lmdb::table table_of(const tables& tables, fact_space space);

// Creates what is missing. Throws storage_failure when the file is another program's.
tables open_tables(lmdb::env& env);

// A fact that is newer in the journal than in its table.
struct dirty_fact {
  std::optional<std::string> value;  // none: it is gone
  commit_number since = 0;
};

struct books {
  std::map<stream_id, stream_ledger> streams;
  std::set<std::pair<commit_number, stream_id>> dirty_streams;  // by dirty_since
  std::map<std::string, dirty_fact> dirty_facts;                // by name
  commit_number facts_since = 0;                                // the oldest of them; 0 = none
  std::map<stream_id, commit_number> dropped;  // by that commit; they may still have rows in the state table
  std::set<stream_id> due;                     // much of them is in the journal
  std::set<stream_id> streams_to_free;         // chunks below the log start remain
  std::set<stream_id> streams_to_thin;         // queues with much that is acknowledged behind an unsettled message
  std::set<stream_id> orphans;                 // chunks of deleted streams remain
  std::set<stream_id> over_bound;              // logs that a roll-up brought over their bound
  store::losses losses;
  commit_time time;  // of the last commit
  commit_number last_commit = 0;
  std::uint32_t next_stream = 1;         // no stream had this id or a higher one
  std::uint32_t next_stream_stored = 1;  // as the meta table has it
  std::uint64_t pledged_bytes = 0;       // room in the tables for what is in the journal alone
};

// What core needs to begin with, besides the streams.
struct contents {
  std::map<std::string, std::string> facts;  // by name
  // Calls `take` with what comes behind the letter, and the value.
  template <class Take>
  void each(fact_space space, const Take& take) const {
    const std::string first = fact_name(space, "");
    for (auto fact = facts.lower_bound(first); fact != facts.end() && fact->first.starts_with(first); ++fact) {
      take(std::string_view(fact->first).substr(1), fact->second);
    }
  }
};

// What the tables say of the journal: which ring it is, and what of it they lack.
struct journal_row {
  ring_id ring{};
  std::uint64_t generation = 0;
  ring_place head;              // the ring's, when this was written
  commit_number in_tables = 0;  // the last commit then
  commit_time time;             // of that one
};
std::string encode(const journal_row& row);
journal_row decode_journal_row(std::string_view value);
// Throws store_damaged where there is none.
journal_row journal_row_of(const lmdb::txn& txn, const tables& tables);

// Of a key of the state table that is about one.
stream_id stream_of_key(std::string_view key);

// Throws storage_failure, which says what to do, on a store of another format than this version's. `directory`: for the
// text.
void check_format(const lmdb::txn& txn, const tables& tables, const std::filesystem::path& directory);

// No stream had this id or a higher one, as the tables know.
std::uint32_t next_stream_of(const lmdb::txn& txn, const tables& tables);

// Written to flash since the store was made, at the last note of it; 0 = none yet.
std::uint64_t flash_bytes_of(const lmdb::txn& txn, const tables& tables);
std::string encode_flash_bytes(std::uint64_t bytes);

// Throws store_damaged where ring and tables are not of one store, or one of them is older than the other.
void check_pair(const ring& journal, const journal_row& row, const std::filesystem::path& directory);

// Checkpoints first, then the journal on top. Throws storage_failure on anything that does not decode.
books read_books(lmdb::env& env, const tables& tables, ring& journal, contents* contents = nullptr);

void mark_dirty(books& books, stream_id id, stream_ledger& ledger, commit_number commit);
void set_fact(books& books, std::string_view name, std::optional<std::string> value, commit_number commit);
// A new stream; one that is there already stays as it is.
void add_stream(books& books, stream_id id, stream_kind kind, bool in_memory, commit_number commit);
void drop_stream(books& books, stream_id id, commit_number commit);
// Of one in memory; its row is that of an empty one.
void reserve_offsets(stream_ledger& ledger, offset_t end, const drop_totals& dropped);
// After each change of what the journal has of the stream.
void count_pledge(books& books, stream_ledger& ledger);

// After an unclean stop: each queue's messages so far may have been delivered, and its checkpoint does not say so yet.
void suspect_deliveries(books& books);

// The segment's batch in the journal. Its CRC is for the caller to check. Error: another batch, or nothing that is one,
// is in its place.
result<batch_view> segment_batch(const ring& journal, const segment& segment);

}  // namespace tidegate::store
