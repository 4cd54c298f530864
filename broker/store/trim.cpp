// The writer's ways of freeing what nobody needs: acknowledged chunks, chunks below a log start, deleted streams.
#include "broker/store/writer.hpp"

namespace tidegate::store {
namespace {

// Of a queue whose oldest message stays unsettled: what later acknowledgements leave dead in chunks, roughly, before
// those are freed from the middle.
constexpr std::uint64_t dead_bytes_max = 1 << 20;

}  // namespace

std::uint64_t writer::freed_bytes_max() const {
  if (is_lean_) return freed_bytes_without_room;
  return row_bytes_ == row_bytes ? freed_bytes_per_commit : freed_bytes_page_by_page;
}

void writer::free_dead_chunks_later(stream_id id, const stream_ledger& ledger) {
  if (ledger.first_chunk_last && *ledger.first_chunk_last < ledger.log_start) books_.streams_to_free.insert(id);
  if (ledger.dead_bytes() >= dead_bytes_max) books_.streams_to_thin.insert(id);
}

// Of a queue: chunks behind the log start in which every message is acknowledged.
void writer::free_dead_chunks(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  auto& blocks = ledger.blocks_to_thin;
  while (!blocks.empty()) {
    const offset_t begin = *blocks.begin() * offsets_per_block;
    free_dead_chunks(txn, id, ledger, {begin, begin + offsets_per_block});
    if (!may_free_more()) {
      books_.streams_to_thin.insert(id);
      return;
    }
    blocks.erase(blocks.begin());
  }
}

// A chunk lacks only what was acknowledged before it was made. So where it is dead, all offsets are acknowledged from
// the end of the chunk before to its own, and the keys alone tell.
void writer::free_dead_chunks(lmdb::txn& txn, stream_id id, stream_ledger& ledger, offset_range within) {
  const auto before = last_chunk_before(txn, tables_.chunk, id, within.begin);
  offset_t begin = before ? *before + 1 : 0;
  chunk_cursor chunks(txn, tables_.chunk);
  chunks.seek(id, within.begin);
  while (begin < within.end && may_free_more()) {
    const auto last = chunks.last_offset_in(id);
    if (!last) return;
    const auto acked = ledger.acked.range_at(std::max(begin, ledger.log_start));
    if (acked && acked->end > *last && *last >= ledger.log_start) {
      if (ledger.first_chunk_last == *last) books_.streams_to_free.insert(id);
      free_chunk(chunks, id, ledger);
    } else {
      chunks.next();
    }
    begin = *last + 1;
  }
}

// The cursor goes on to the next one.
void writer::free_chunk(chunk_cursor& chunks, stream_id id, stream_ledger& ledger) {
  const chunk_cursor::erased gone = chunks.erase();
  ledger.chunk_bytes -= gone.bytes;
  freed_bytes_ += gone.page_bytes;
  resized_.insert(id);
}

void writer::free_chunks(lmdb::txn& txn) {
  free_head_chunks(txn);
  free_dropped(txn);
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
    chunk_cursor chunks(txn, tables_.chunk);
    chunks.seek(*id, 0);
    auto first = chunks.last_offset_in(*id);
    for (; first && *first < ledger.log_start && may_free_more(); first = chunks.last_offset_in(*id)) {
      free_chunk(chunks, *id, ledger);
    }
    ledger.set_first_chunk(first);
    const bool done = !first || *first >= ledger.log_start;
    touch(*id);
    id = done ? books_.streams_to_free.erase(id) : std::next(id);
  }
}

void writer::free_dropped(lmdb::txn& txn) {
  while (!books_.dropped.empty() && may_free_more()) {
    const stream_id id = *books_.dropped.begin();
    chunk_cursor chunks(txn, tables_.chunk);
    chunks.seek(id, 0);
    while (chunks.last_offset_in(id) && may_free_more()) freed_bytes_ += chunks.erase().page_bytes;
    if (!chunks.last_offset_in(id)) books_.dropped.erase(id);
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
