// The writer's ways of freeing what nobody needs: acknowledged chunks, chunks below a log start, deleted streams.
#include "broker/store/writer.hpp"

namespace tidegate::store {
namespace {

// Of a queue whose oldest message stays unsettled: what later acknowledgements leave dead in chunks, roughly, before
// those are freed from the middle.
constexpr std::uint64_t dead_bytes_max = 1 << 20;

}  // namespace

void writer::free_dead_chunks_later(stream_id id, const stream_ledger& ledger) {
  if (ledger.first_chunk_last && *ledger.first_chunk_last < ledger.log_start) books_.streams_to_free.insert(id);
  if (ledger.dead_bytes() >= dead_bytes_max) books_.streams_to_thin.insert(id);
}

// Of a queue: chunks behind the log start in which every message is acknowledged.
void writer::free_dead_chunks(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  auto& blocks = ledger.blocks_to_thin;
  lmdb::cursor cursor(txn, tables_.chunk);
  while (!blocks.empty()) {
    const offset_t begin = *blocks.begin() * offsets_per_block;
    free_dead_chunks(cursor, id, ledger, {begin, begin + offsets_per_block});
    if (freed_bytes_ >= freed_bytes_per_commit) {
      books_.streams_to_thin.insert(id);
      return;
    }
    blocks.erase(blocks.begin());
  }
}

// A chunk lacks only what was acknowledged before it was made. So where it is dead, all offsets are acknowledged from
// the end of the chunk before to its own, and the keys alone tell.
void writer::free_dead_chunks(lmdb::cursor& cursor, stream_id id, stream_ledger& ledger, offset_range within) {
  const std::string key = chunk_key(id, within.begin);
  const auto before = cursor.seek(key) ? cursor.previous() : cursor.last();
  offset_t begin = 0;
  if (before && place_of_chunk_key(before->key).stream == id) begin = place_of_chunk_key(before->key).last_offset + 1;
  auto found = cursor.seek(key);
  while (found && begin < within.end && freed_bytes_ < freed_bytes_per_commit) {
    const chunk_place place = place_of_chunk_key(found->key);
    if (place.stream != id) return;
    const auto acked = ledger.acked.range_at(std::max(begin, ledger.log_start));
    if (acked && acked->end > place.last_offset && place.last_offset >= ledger.log_start) {
      ledger.chunk_bytes -= found->value.size();
      resized_.insert(id);
      freed_bytes_ += found->value.size();
      if (ledger.first_chunk_last == place.last_offset) books_.streams_to_free.insert(id);
      cursor.erase();
    }
    begin = place.last_offset + 1;
    found = cursor.next();
  }
}

// Chunks that lie wholly below the log start of a queue or a trimmed log.
void writer::free_head_chunks(lmdb::txn& txn) {
  const std::set<stream_id> to_thin = is_lean_ ? std::set<stream_id>() : std::exchange(books_.streams_to_thin, {});
  for (const stream_id id : to_thin) {
    const auto found = books_.streams.find(id);
    if (found != books_.streams.end()) checkpoint_stream(txn, id, found->second, nullptr);
  }
  for (auto id = books_.streams_to_free.begin(); id != books_.streams_to_free.end();) {
    stream_ledger& ledger = books_.streams.at(*id);
    lmdb::cursor cursor(txn, tables_.chunk);
    auto found = cursor.seek(chunk_key(*id, 0));
    std::optional<offset_t> first;
    while (found && place_of_chunk_key(found->key).stream == *id) {
      const offset_t last = place_of_chunk_key(found->key).last_offset;
      if (last >= ledger.log_start || freed_bytes_ >= freed_bytes_per_commit) {
        first = last;
        break;
      }
      ledger.chunk_bytes -= found->value.size();
      resized_.insert(*id);
      freed_bytes_ += found->value.size();
      cursor.erase();
      found = cursor.next();
    }
    ledger.set_first_chunk(first);
    const bool done = !first || *first >= ledger.log_start;
    touch(*id);
    id = done ? books_.streams_to_free.erase(id) : std::next(id);
  }
}

void writer::free_dropped(lmdb::txn& txn) {
  while (!books_.dropped.empty() && freed_bytes_ < freed_bytes_per_commit) {
    const stream_id id = *books_.dropped.begin();
    lmdb::cursor cursor(txn, tables_.chunk);
    auto found = cursor.seek(chunk_key(id, 0));
    while (found && place_of_chunk_key(found->key).stream == id) {
      if (freed_bytes_ >= freed_bytes_per_commit) return;
      freed_bytes_ += found->value.size();
      cursor.erase();
      found = cursor.next();
    }
    books_.dropped.erase(id);
  }
}

void writer::erase_cursors(lmdb::txn& txn, stream_id id) {
  const std::string prefix = cursor_key(id, "");
  std::erase_if(books_.dirty_cursors, [&](const auto& entry) { return entry.first.starts_with(prefix); });
  lmdb::cursor cursor(txn, tables_.state);
  auto found = cursor.seek(prefix);
  while (found && found->key.starts_with(prefix)) {
    cursor.erase();
    found = cursor.next();
  }
}

}  // namespace tidegate::store
