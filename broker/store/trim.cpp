// The writer's ways of letting go: retention, acknowledged chunks, deleted streams.
#include <limits>

#include "broker/store/chunk.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {
namespace {

// Of a queue whose oldest message stays unsettled: what later acknowledgements leave dead in chunks, roughly, before
// those are freed from the middle.
constexpr std::uint64_t dead_bytes_max = 1 << 20;

}  // namespace

// Before the share is stored: afterwards the partition is within its bound, so the bound is a hard one. (A share that
// is longer than the bound stays until the next one.)
void writer::keep_limits(lmdb::txn& txn, stream_id id, stream_ledger& ledger, std::uint64_t incoming,
                         blob_writer& blob) {
  const offset_t before = ledger.log_start;
  drop_excess(txn, id, ledger, incoming);
  if (ledger.log_start != before) blob.trimmed(id, ledger.log_start);
}

// Frees what the incoming bytes ask for whatever else this commit frees; what a lowered bound asks for can take some
// commits.
void writer::drop_excess(lmdb::txn& txn, stream_id id, stream_ledger& ledger, std::uint64_t incoming) {
  const std::uint64_t bytes_max = ledger.limits.bytes_max, before = ledger.bytes();
  if (ledger.kind != stream_kind::log || bytes_max == 0) return;
  while (ledger.bytes() + incoming > bytes_max) {
    const bool is_due = before - ledger.bytes() <= incoming + chunk_bytes_max;
    if ((!is_due && freed_bytes_ >= freed_bytes_per_commit) || !drop_head(txn, id, ledger)) return;
  }
}

// Also brings logs within a bound that was lowered.
void writer::expire(lmdb::txn& txn, std::int64_t wall_ms, blob_writer& blob) {
  for (auto& [id, ledger] : books_.streams) {
    if (ledger.kind != stream_kind::log) continue;
    const offset_t before = ledger.log_start;
    const std::int64_t oldest_kept = wall_ms - ledger.limits.age_max.count();
    const auto has_old_head = [&] {
      return ledger.log_start < ledger.next && head_timestamp(txn, id, ledger) < oldest_kept;
    };
    if (ledger.limits.age_max.count() != 0) {
      while (freed_bytes_ < freed_bytes_per_commit && has_old_head() && drop_head(txn, id, ledger)) {
      }
    }
    drop_excess(txn, id, ledger, 0);
    if (ledger.log_start == before) continue;
    mark_dirty(books_, id, ledger, books_.last_commit);
    touched_.insert(id);
    blob.trimmed(id, ledger.log_start);
  }
}

// Drops the oldest chunk or, where there is none, the oldest batch in the journal. False: nothing is left.
bool writer::drop_head(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  if (!ledger.first_chunk_last) {
    if (ledger.recent.empty()) return false;
    ledger.trim_to(ledger.recent.front().last + 1);
    return true;
  }
  lmdb::cursor cursor(txn, tables_.chunk);
  const auto head = cursor.seek(chunk_key(id, 0));
  TIDEGATE_EXPECT(head.has_value() && place_of_chunk_key(head->key).stream == id);
  const offset_t last = place_of_chunk_key(head->key).last_offset;
  ledger.chunk_bytes -= head->value.size();
  resized_.insert(id);
  freed_bytes_ += head->value.size();
  cursor.erase();
  const auto next = cursor.next();
  ledger.first_chunk_last.reset();
  if (next && place_of_chunk_key(next->key).stream == id) {
    ledger.first_chunk_last = place_of_chunk_key(next->key).last_offset;
  }
  ledger.trim_to(last + 1);
  return true;
}

std::int64_t writer::head_timestamp(const lmdb::txn& txn, stream_id id, const stream_ledger& ledger) {
  if (!ledger.first_chunk_last) {
    return ledger.recent.empty() ? ledger.newest_timestamp_ms : ledger.recent.front().newest_timestamp_ms;
  }
  const auto chunk = txn.get(tables_.chunk, chunk_key(id, *ledger.first_chunk_last));
  TIDEGATE_EXPECT(chunk.has_value());
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
  for (const batch_view& batch : read_chunk_or_fail({id, *ledger.first_chunk_last}, *chunk)) {
    newest = std::max(newest, batch.newest_timestamp_ms);
  }
  return newest;
}

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
  for (const stream_id id : std::exchange(books_.streams_to_thin, {})) {
    const auto found = books_.streams.find(id);
    if (found != books_.streams.end()) checkpoint_stream(txn, id, found->second, nullptr);
  }
  for (auto id = books_.streams_to_free.begin(); id != books_.streams_to_free.end();) {
    stream_ledger& ledger = books_.streams.at(*id);
    lmdb::cursor cursor(txn, tables_.chunk);
    auto found = cursor.seek(chunk_key(*id, 0));
    ledger.first_chunk_last.reset();
    while (found && place_of_chunk_key(found->key).stream == *id) {
      const offset_t last = place_of_chunk_key(found->key).last_offset;
      if (last >= ledger.log_start || freed_bytes_ >= freed_bytes_per_commit) {
        ledger.first_chunk_last = last;
        break;
      }
      ledger.chunk_bytes -= found->value.size();
      resized_.insert(*id);
      freed_bytes_ += found->value.size();
      cursor.erase();
      found = cursor.next();
    }
    const bool done = !ledger.first_chunk_last || *ledger.first_chunk_last >= ledger.log_start;
    touched_.insert(*id);
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
