// The writer's ways of letting go: retention, acknowledged chunks, deleted streams.
#include "broker/store/writer.hpp"

namespace tidegate::store {
namespace {

// Of a queue whose oldest message stays unsettled: how many later ones are acknowledged before their chunks are freed
// from the middle.
constexpr std::uint64_t acks_between_checkpoints = 16 * 1024;

}  // namespace

// Before the share is stored: afterwards the partition is within its bound, so the bound is a hard one.
void writer::keep_limits(lmdb::txn& txn, stream_id id, stream_ledger& ledger, std::uint64_t incoming, blob_writer& blob) {
  if (ledger.limits.bytes_max == 0) return;
  const offset_t before = ledger.log_start;
  while (ledger.bytes() + incoming > ledger.limits.bytes_max && drop_head(txn, id, ledger)) {
  }
  if (ledger.log_start != before) blob.trimmed(id, ledger.log_start);
}

void writer::expire(lmdb::txn& txn, std::int64_t wall_ms, blob_writer& blob) {
  for (auto& [id, ledger] : books_.streams) {
    if (ledger.kind != stream_kind::log || ledger.limits.age_max.count() == 0) continue;
    const offset_t before = ledger.log_start;
    const std::int64_t oldest_kept = wall_ms - ledger.limits.age_max.count();
    while (ledger.log_start < ledger.next && head_timestamp(txn, id, ledger) < oldest_kept && drop_head(txn, id, ledger)) {
    }
    if (ledger.log_start == before) continue;
    mark_dirty(books_, id, ledger, books_.last_commit);
    touched_.insert(id);
    blob.trimmed(id, ledger.log_start);
  }
}

// Drops the oldest chunk or, where there is none, the oldest batch in the journal. False: nothing is left, or the bound
// on what one commit frees is reached.
bool writer::drop_head(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  if (freed_bytes_ >= freed_bytes_per_commit) return false;
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
  if (next && place_of_chunk_key(next->key).stream == id) ledger.first_chunk_last = place_of_chunk_key(next->key).last_offset;
  ledger.trim_to(last + 1);
  return true;
}

std::int64_t writer::head_timestamp(const lmdb::txn& txn, stream_id id, const stream_ledger& ledger) {
  if (!ledger.first_chunk_last) {
    return ledger.recent.empty() ? ledger.newest_timestamp_ms : ledger.recent.front().newest_timestamp_ms;
  }
  const auto chunk = txn.get(tables_.chunk, chunk_key(id, *ledger.first_chunk_last));
  TIDEGATE_EXPECT(chunk.has_value());
  std::int64_t newest = 0;
  std::string_view rest = *chunk;
  while (!rest.empty()) {
    const auto batch = read_batch(rest);
    if (!batch) throw storage_failure("the store is damaged: " + batch.error().text);
    newest = std::max(newest, batch->newest_timestamp_ms);
    rest.remove_prefix(batch->bytes.size());
  }
  return newest;
}

void writer::free_dead_chunks_later(stream_id id, const stream_ledger& ledger) {
  if (ledger.first_chunk_last && *ledger.first_chunk_last < ledger.log_start) books_.streams_to_free.insert(id);
  if (ledger.acked_since_checkpoint >= acks_between_checkpoints && !ledger.acked.empty()) {
    books_.streams_to_thin.insert(id);
  }
}

// Of a queue: chunks behind the log start in which every message is acknowledged.
void writer::free_dead_chunks(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  if (ledger.kind != stream_kind::queue) return;
  lmdb::cursor cursor(txn, tables_.chunk);
  for (const auto& [begin, end] : ledger.acked) {
    if (end - begin < 2 || freed_bytes_ >= freed_bytes_per_commit) continue;
    auto found = cursor.seek(chunk_key(id, begin));
    while (found && freed_bytes_ < freed_bytes_per_commit) {
      const chunk_place place = place_of_chunk_key(found->key);
      if (place.stream != id || place.last_offset >= end) break;
      const auto first = read_batch(found->value);
      if (first && first->base_offset >= begin) {
        ledger.chunk_bytes -= found->value.size();
        resized_.insert(id);
        freed_bytes_ += found->value.size();
        if (ledger.first_chunk_last == place.last_offset) books_.streams_to_free.insert(id);
        cursor.erase();
      }
      found = cursor.next();
    }
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
    while (found && place_of_chunk_key(found->key).stream == id && freed_bytes_ < freed_bytes_per_commit) {
      freed_bytes_ += found->value.size();
      cursor.erase();
      found = cursor.next();
    }
    if (found && place_of_chunk_key(found->key).stream == id) return;
    erase_cursors(txn, id);
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
