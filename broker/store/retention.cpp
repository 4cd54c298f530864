// The writer's way of keeping logs within their bounds, and the store as a whole below its mark. What it drops stands
// in the loss ledger, in the same commit.
#include "broker/store/protection.hpp"
#include "broker/store/rows.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {
// Before the share is stored: afterwards the partition is within its bound, so the bound is a hard one.
void writer::keep_limits(lmdb::txn& txn, stream_id id, stream_ledger& ledger, std::uint64_t incoming,
                         blob_writer& blob) {
  const offset_t before = ledger.log_start;
  drop_excess(txn, id, ledger, incoming);
  tell_trim(id, ledger, before, blob);
}

void writer::tell_trim(stream_id id, stream_ledger& ledger, offset_t before, blob_writer& blob) {
  if (ledger.log_start == before) return;
  mark_dirty(books_, id, ledger, books_.last_commit);
  touch(id);
  blob.trimmed(id, ledger.log_start);
}

// Frees what the incoming bytes ask for whatever else this commit frees; what a lowered bound asks for can take some
// commits.
void writer::drop_excess(lmdb::txn& txn, stream_id id, stream_ledger& ledger, std::uint64_t incoming) {
  const stream_limits& limits = ledger.limits;
  if (ledger.kind != stream_kind::log || limits.bytes_max == 0) return;
  const bool rejects = limits.overflow == overflow::reject;
  const std::uint64_t bytes_max = limits.kept(limits.bytes_max);
  if (ledger.bytes() + incoming <= bytes_max) return;
  const offset_t read = rejects ? read_by_protected(txn, id, ledger) : ledger.next;
  drop_head_while(txn, id, ledger, loss_reason::retention_bytes, [&](std::uint64_t dropped) {
    const bool is_due = !is_lean_ && dropped <= incoming + chunk_bytes_max;
    return ledger.bytes() + incoming > bytes_max && (is_due || may_free_more()) && head_end(ledger) <= read;
  });
}

// Of a log that rejects: a protected group has moved on.
void writer::let_go_of_read(lmdb::txn& txn, stream_id id, stream_ledger& ledger, blob_writer& blob) {
  const offset_t before = ledger.log_start;
  drop_excess(txn, id, ledger, 0);
  keep_count(txn, id, ledger);
  tell_trim(id, ledger, before, blob);
}

// The bound in records, exact to the record; behind those that are new.
void writer::keep_count(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  const stream_limits& limits = ledger.limits;
  if (ledger.kind != stream_kind::log || limits.records_max == 0) return;
  const bool rejects = limits.overflow == overflow::reject;
  const std::uint64_t records_max = limits.kept(limits.records_max);
  if (ledger.next - ledger.log_start <= records_max) return;
  offset_t keep_from = ledger.next - records_max;
  if (rejects) keep_from = std::min(keep_from, read_by_protected(txn, id, ledger));
  drop_below(txn, id, ledger, keep_from, loss_reason::retention_records);
}

// Takes note of how far the log is at this age of the store, if the last note is a good while old.
void writer::mark_age(stream_id id, stream_ledger& ledger, blob_writer& blob) {
  if (ledger.kind != stream_kind::log) return;
  const auto mark =
      due_mark(ledger.age_marks, {ledger.log_start, ledger.next}, ledger.limits.age_max, books_.time.lifetime);
  if (!mark) return;
  ledger.age_marks.push_back(*mark);
  mark_dirty(books_, id, ledger, books_.last_commit);
  touch(id);
  blob.age_marked(id, *mark);
}

// Also brings logs within a bound that was lowered.
void writer::expire(lmdb::txn& txn, blob_writer& blob) {
  for (auto& [id, ledger] : books_.streams) {
    if (ledger.kind != stream_kind::log) continue;
    const offset_t before = ledger.log_start;
    mark_age(id, ledger, blob);
    drop_old(txn, id, ledger);
    drop_excess(txn, id, ledger, 0);
    keep_count(txn, id, ledger);
    tell_trim(id, ledger, before, blob);
  }
}

void writer::drop_old(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  const offset_t keep_from = expired_before(ledger.age_marks, ledger.limits.age_max, books_.time.lifetime);
  drop_below(txn, id, ledger, keep_from, loss_reason::retention_age);
}

// Logs together leave room for queues and for work: above the mark the largest gives way first, of those that protect
// nobody or whose head everybody has read; then the others.
void writer::relieve(lmdb::txn& txn, blob_writer& blob) {
  const double excess = pages_.used_share() - keep_below;
  // What is dropped already is room as soon as it is freed.
  if (excess <= 0 || work_left() || is_lean_) return;
  std::uint64_t bytes = static_cast<std::uint64_t>(excess * static_cast<double>(pages_.map_pages * pages_.page_bytes));
  bytes = std::min(bytes + chunk_bytes_max, freed_bytes_max());
  for (const bool also_unread : {false, true}) {
    while (freed_bytes_ < bytes) {
      const auto id = largest_droppable(txn, also_unread);
      if (!id) break;
      stream_ledger& ledger = books_.streams.at(*id);
      const offset_t before = ledger.log_start;
      drop_head_while(txn, *id, ledger, loss_reason::store_room, [](std::uint64_t dropped) { return dropped == 0; });
      tell_trim(*id, ledger, before, blob);
    }
  }
}

// Only chunks count: what is in the journal is bounded with it, and dropping it frees nothing yet.
std::optional<stream_id> writer::largest_droppable(const lmdb::txn& txn, bool also_unread) const {
  std::optional<stream_id> largest;
  std::uint64_t bytes = 0;
  for (const auto& [id, ledger] : books_.streams) {
    if (ledger.kind != stream_kind::log || !ledger.first_chunk_last || ledger.chunk_bytes <= bytes) continue;
    const bool is_free = ledger.limits.protect.empty() && ledger.limits.overflow == overflow::drop_oldest;
    const bool may_go = is_free || (also_unread && ledger.limits.overflow == overflow::drop_oldest) ||
                        head_end(ledger) <= read_by_protected(txn, id, ledger);
    if (!may_go) continue;
    largest = id;
    bytes = ledger.chunk_bytes;
  }
  return largest;
}

// One past the last record of the oldest chunk or, where there is none, of the oldest batch in the journal.
offset_t writer::head_end(const stream_ledger& ledger) {
  if (ledger.first_chunk_last) return *ledger.first_chunk_last + 1;
  return ledger.recent.empty() ? ledger.next : ledger.recent.front().last + 1;
}

// Where nobody is protected: the log start.
offset_t writer::read_by_protected(const lmdb::txn& txn, stream_id id, const stream_ledger& ledger) const {
  offset_t read = ledger.limits.protect.empty() ? ledger.log_start : ledger.next;
  for (const std::string& name : ledger.limits.protect) read = std::min(read, read_by(txn, id, name));
  return std::max(read, ledger.log_start);
}

// Rows of the table count where nothing newer is in the journal.
offset_t writer::read_by(const lmdb::txn& txn, stream_id id, const std::string& name) const {
  std::optional<offset_t> lowest;
  const auto newer = slowest_group(books_.dirty_cursors, cursor_key(id, ""), name,
                                   [](const auto& entry) { return entry.state.offset; });
  if (newer != books_.dirty_cursors.end()) lowest = newer->second.state.offset;
  const auto take = [&](const lmdb::entry& row) {
    if (books_.dirty_cursors.contains(std::string(row.key))) return;
    const offset_t offset = decode_cursor(unsealed_or_fail(tables_.state, row)).offset;
    lowest = std::min(lowest.value_or(offset), offset);
  };
  std::string key = cursor_key(id, name);
  lmdb::cursor rows(txn, tables_.state);
  auto row = rows.seek(key);
  if (row && row->key == key) take(*row);
  key.push_back('/');
  for (row = rows.seek(key); row && row->key.starts_with(key); row = rows.next()) take(*row);
  return lowest.value_or(0);
}

// Heads, one by one, while there is one and the condition holds; it is asked with the bytes dropped so far.
void writer::drop_head_while(lmdb::txn& txn, stream_id id, stream_ledger& ledger, loss_reason reason,
                             const std::function<bool(std::uint64_t dropped)>& goes_on) {
  const offset_t from = ledger.log_start, read = read_by_protected(txn, id, ledger);
  const std::uint64_t before = ledger.bytes();
  while (goes_on(before - ledger.bytes()) && drop_head(txn, id, ledger)) {
  }
  note_drop(id, {from, ledger.log_start}, read, before - ledger.bytes(), reason);
}

// Drops the oldest chunk or, where there is none, the oldest batch in the journal. False: nothing is left.
bool writer::drop_head(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  if (!ledger.first_chunk_last) {
    if (ledger.recent.empty()) return false;
    ledger.trim_to(ledger.recent.front().last + 1);
    return true;
  }
  chunk_cursor chunks(txn, tables_.chunk);
  chunks.seek(id, 0);
  const auto last = chunks.last_offset_in(id);
  TIDEGATE_EXPECT(last.has_value());
  free_chunk(chunks, id, ledger);
  ledger.set_first_chunk(chunks.last_offset_in(id));
  ledger.trim_to(*last + 1);
  return true;
}

// The log start moves at once; chunks that lie below it are freed a few megabytes a commit.
void writer::drop_below(const lmdb::txn& txn, stream_id id, stream_ledger& ledger, offset_t offset,
                        loss_reason reason) {
  if (offset <= ledger.log_start) return;
  const offset_t from = ledger.log_start, read = read_by_protected(txn, id, ledger);
  const std::uint64_t bytes = ledger.bytes() / (ledger.next - from) * (std::min(offset, ledger.next) - from);
  ledger.trim_to(offset);
  free_dead_chunks_later(id, ledger);
  note_drop(id, {from, ledger.log_start}, read, bytes, reason);
}

void writer::note_drop(stream_id id, offset_range dropped, offset_t read, std::uint64_t bytes, loss_reason reason) {
  if (dropped.empty()) return;
  loss_record record{reason, id, {}, dropped.begin, dropped.end, dropped.size()};
  // Where nobody is protected, nobody is known to have read anything.
  record.unread = dropped.end - std::clamp(read, dropped.begin, dropped.end);
  record.bytes = bytes;
  note_loss(record);
}

void writer::note_loss(loss_record record) {
  record.since = record.until = books_.time.wall;
  record.wall_trusted = books_.time.wall_trusted;
  books_.losses.note(record, books_.time.lifetime, books_.last_commit);
  const bool is_dropped = record.reason != loss_reason::damaged && record.reason != loss_reason::device;
  const auto stream = books_.streams.find(record.stream);
  if (!is_dropped || stream == books_.streams.end()) return;
  stream->second.dropped.records += record.records;
  stream->second.dropped.unread += record.unread;
}

void writer::put_losses(blob_writer& blob) {
  for (const auto& [number, record] : books_.losses.take_changed()) {
    const auto stream = books_.streams.find(record.stream);
    blob.lost(number, record, stream == books_.streams.end() ? drop_totals{} : stream->second.dropped);
    changed_losses_[number] = record;
  }
}

// Of what was dropped when the blob was written already: a chunk can be longer than the batches it was made of.
void writer::put_late_losses(lmdb::txn& txn, blob_writer& blob) {
  const std::string last = journal_key(books_.last_commit, blob.last_part());
  put_losses(blob);
  if (blob.empty()) return;
  const auto finished = txn.get(tables_.journal, last);
  TIDEGATE_EXPECT(finished.has_value());
  txn.put(tables_.journal, last, continued(*finished));
  put_blob(txn, blob);
}

}  // namespace tidegate::store
