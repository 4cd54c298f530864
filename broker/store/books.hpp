// The writer's whole knowledge, read from the file at start and after an aborted transaction.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/store/ledger.hpp"
#include "broker/store/lmdb.hpp"
#include "broker/store/losses.hpp"

namespace tidegate::store {

struct tables {
  lmdb::table journal, chunk, state, catalog, loss, meta;
};

// Creates what is missing. Throws storage_failure when the file is another program's.
tables open_tables(lmdb::env& env);

// Something in the state table that is newer in the journal.
template <class State>
struct dirty_entry {
  State state;
  commit_number since = 0;
};

struct books {
  std::map<stream_id, stream_ledger> streams;
  std::set<std::pair<commit_number, stream_id>> dirty_streams;  // by dirty_since
  // By state table key. Only what differs from the table; an erased producer has no value.
  std::map<std::string, dirty_entry<cursor_state>> dirty_cursors;
  std::unordered_map<std::string, dirty_entry<std::optional<producer_state>>> dirty_producers;
  commit_number states_since = 0;       // the oldest of these two; 0 = none
  std::set<stream_id> streams_to_free;  // chunks below the log start remain
  std::set<stream_id> streams_to_thin;  // queues with much that is acknowledged behind an unsettled message
  std::set<stream_id> dropped;          // chunks of deleted streams remain
  store::losses losses;
  commit_time time;  // of the last commit
  commit_number last_commit = 0;
  commit_number journal_head = 0;  // oldest blob's commit; 0 = no journal
  std::uint64_t journal_bytes = 0;
};

// What core needs to begin with, besides the streams.
struct contents {
  std::vector<std::pair<std::string, std::string>> definitions;  // catalog, in key order
  std::map<std::string, cursor_state> cursors;                   // by state table key
  std::unordered_map<std::string, producer_state> producers;
};

// Of a key of the state table that is about one.
stream_id stream_of_key(std::string_view key);

// Throws storage_failure, which says what to do, on a store of another format than this version's. `directory`: for the
// text.
void check_format(const lmdb::txn& txn, const tables& tables, const std::filesystem::path& directory);

// No stream had this id or a higher one.
std::uint32_t next_stream_of(const lmdb::txn& txn, const tables& tables);

// Written to flash since the store was made, at the last note of it; 0 = none yet.
std::uint64_t flash_bytes_of(const lmdb::txn& txn, const tables& tables);
void put_flash_bytes(lmdb::txn& txn, const tables& tables, std::uint64_t bytes);

// Checkpoints first, then the journal on top. Throws storage_failure on anything that does not decode.
books read_books(lmdb::env& env, const tables& tables, contents* contents = nullptr);

void mark_dirty(books& books, stream_id id, stream_ledger& ledger, commit_number commit);
void set_cursor(books& books, std::string key, cursor_state state, commit_number commit);
void set_producer(books& books, std::string_view name, std::optional<producer_state> state, commit_number commit);

// After an unclean stop: each queue's messages so far may have been delivered, and its checkpoint does not say so yet.
void suspect_deliveries(books& books);

// The segment's batch in the journal; none where the blob is gone. Its CRC is for the caller to check. Error: another
// batch, or nothing that is one, is in its place.
result<std::optional<batch_view>> segment_batch(const lmdb::txn& txn, const tables& tables, const segment& segment);

}  // namespace tidegate::store
