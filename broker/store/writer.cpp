#include "broker/store/writer.hpp"

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {

writer::writer(lmdb::env& env, const tables& tables, books books, writer_options options)
    : env_(env),
      tables_(tables),
      books_(std::move(books)),
      options_(options),
      pages_(env.pages()),
      snapshot_(lmdb::txn(env, lmdb::access::read).number()) {}

commit_result writer::apply(commit_group& group) {
  if (page_by_page_left_ > 0 && --page_by_page_left_ == 0) row_bytes_ = row_bytes;
  const bool has_room = pages_.used_share() <= store_none_above;
  try {
    return has_room || !group.appends() ? attempt(group) : attempt_without_appends(group);
  } catch (const lmdb::map_full&) {
    read_books_again();
  }
  // Much may be free, page by page.
  if (shorten_rows() && has_room) return apply(group);
  is_lean_ = true;
  try {
    commit_result result = attempt_without_appends(group);
    is_lean_ = false;
    return result;
  } catch (const lmdb::map_full&) {
    throw storage_failure(
        "the store's map is full to the last page, even for acknowledgements: raise store.bytes_max and start again");
  }
}

commit_result writer::attempt_without_appends(commit_group& group) {
  group.drop_appends();
  commit_result result = attempt(group);
  result.appends_stored = !group.has_dropped_appends();
  return result;
}

// False: they were short already.
bool writer::shorten_rows() {
  page_by_page_left_ = commits_page_by_page;
  return std::exchange(row_bytes_, row_bytes_on_a_page) != row_bytes_on_a_page;
}

// After an aborted transaction, which leaves ours ahead of the file. What is in memory only is kept.
void writer::read_books_again() {
  const auto before = std::exchange(books_, read_books(env_, tables_)).streams;
  for (auto& [id, ledger] : books_.streams) {
    const auto known = before.find(id);
    if (known == before.end()) continue;
    ledger.limits = known->second.limits;
    if (ledger.maybe_delivered_before == known->second.maybe_delivered_before) continue;
    ledger.maybe_delivered_before = known->second.maybe_delivered_before;
    mark_dirty(books_, id, ledger, books_.last_commit);
  }
}

void writer::checkpoint_all(const std::vector<stream_change>& rows) {
  try {
    checkpoint_streams_and_states(rows);
  } catch (const lmdb::map_full&) {
    read_books_again();
    shorten_rows();
    checkpoint_streams_and_states(rows);
  }
}

void writer::empty_journal() {
  try {
    for (commit_number before = 0; before < books_.journal_head && books_.journal_head < books_.last_commit;) {
      before = books_.journal_head;
      freed_bytes_ = 0;
      lmdb::txn txn(env_, lmdb::access::write);
      trim_journal(txn);
      txn.commit();
    }
  } catch (const lmdb::map_full&) {
    read_books_again();
    if (shorten_rows()) empty_journal();
  }
}

void writer::checkpoint_streams_and_states(const std::vector<stream_change>& rows) {
  freed_bytes_ = 0;
  lmdb::txn txn(env_, lmdb::access::write);
  blob_writer blob(++books_.last_commit, books_.time, row_bytes_);
  put_blob(txn, blob);
  for (auto& [id, ledger] : books_.streams) {
    if (ledger.dirty_since != 0) checkpoint_stream(txn, id, ledger, nullptr);
  }
  checkpoint_states(txn, books_.last_commit);
  for (const stream_change& row : rows) change_stream(txn, row);
  put_chunk_bytes(txn);
  put_late_losses(txn, blob);
  txn.commit();
}

commit_result writer::attempt(commit_group& group) {
  touched_.clear();
  resized_.clear();
  added_.clear();
  dropped_now_.clear();
  changed_losses_.clear();
  bytes_written_ = freed_bytes_ = rolled_up_bytes_ = 0;
  if (group.time().lifetime >= books_.time.lifetime) books_.time = group.time();
  lmdb::txn txn(env_, lmdb::access::write);
  blob_writer blob(++books_.last_commit, books_.time, row_bytes_);
  for (const definition_change& change : group.definitions()) {
    if (change.value) put_row(txn, tables_.catalog, change.key, *change.value);
    if (!change.value) txn.erase(tables_.catalog, change.key);
  }
  for (const stream_change& change : group.stream_changes()) change_stream(txn, change);
  // All before the shares: one that goes straight to chunks makes its stream deaf to this blob at the next start.
  for (const loss_record& record : group.losses()) note_loss(record);
  if (group.expires()) expire(txn, blob);
  relieve(txn, blob);
  take_states(txn, group, blob);
  for (stream_share& share : group.shares()) take_share(txn, share, blob);
  if (!group.has_operations() && touched_.empty() && !work_left()) {
    // Retention by age looks every few seconds and mostly finds nothing: that must not cost flash.
    --books_.last_commit;
    return result_now();
  }
  if (group.flash_bytes() && !is_lean_) put_flash_bytes(txn, tables_, *group.flash_bytes());
  put_losses(blob);
  put_blob(txn, blob);
  // Either has the first turn at what may be freed.
  const bool chunks_first = row_bytes_ != row_bytes && books_.last_commit % 2 == 0;
  if (chunks_first) free_chunks(txn);
  bound_journal(txn);
  if (!chunks_first) free_chunks(txn);
  put_chunk_bytes(txn);
  put_late_losses(txn, blob);
  const std::uint64_t snapshot = txn.number();
  txn.commit();
  snapshot_ = snapshot;
  return result_now();
}

bool writer::work_left() const {
  return !books_.streams_to_free.empty() || !books_.streams_to_thin.empty() || !books_.dropped.empty();
}

commit_result writer::result_now() {
  commit_result result;
  result.commit = books_.last_commit;
  result.snapshot = snapshot_;
  result.work_left = work_left();
  tell_touched(result);
  for (const stream_id id : dropped_now_) {
    result.streams.emplace_back().stream = id;
    result.streams.back().dropped = true;
  }
  result.losses = changed_losses_;
  result.losses_since = books_.losses.dirty_since();
  result.journal_bytes = books_.journal_bytes;
  result.bytes_written = bytes_written_;
  result.pages = pages_ = env_.pages();
  return result;
}

void writer::touch(stream_id id) {
  if (touched_.empty() || touched_.back() != id) touched_.push_back(id);
}

void writer::tell_touched(commit_result& result) {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  std::stable_sort(added_.begin(), added_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  result.streams.reserve(touched_.size() + dropped_now_.size());
  auto added = added_.cbegin();
  for (const stream_id id : touched_) {
    stream_update& update = result.streams.emplace_back(id, books_.streams.at(id).state());
    for (; added != added_.cend() && added->first == id; ++added) update.added.push_back(added->second);
  }
}

void writer::change_stream(lmdb::txn& txn, const stream_change& change) {
  switch (change.change) {
    case stream_change::what::create: {
      stream_ledger& ledger = books_.streams[change.stream];
      ledger.kind = change.kind;
      ledger.limits = change.limits;
      keep_stream_id(txn, change.stream);
      if (change.in_memory) return reserve_offsets(txn, change);
      touch(change.stream);
      // This commit's blob may hold its first records already.
      return put_checkpoint(txn, change.stream, ledger, books_.last_commit - 1);
    }
    case stream_change::what::reserve:
      if (books_.streams.contains(change.stream)) reserve_offsets(txn, change);
      return;
    case stream_change::what::limit: {
      const auto found = books_.streams.find(change.stream);
      if (found != books_.streams.end()) found->second.limits = change.limits;
      return;
    }
    case stream_change::what::drop: {
      const auto found = books_.streams.find(change.stream);
      if (found == books_.streams.end()) return;
      books_.dirty_streams.erase({found->second.dirty_since, change.stream});
      for (const auto block : found->second.stored_blocks) txn.erase(tables_.state, block_key(change.stream, block));
      txn.erase(tables_.state, stream_key(change.stream));
      books_.streams.erase(found);
      books_.streams_to_free.erase(change.stream);
      books_.dropped.insert(change.stream);
      erase_cursors(txn, change.stream);
      books_.losses.close(change.stream);
      std::erase(touched_, change.stream);
      dropped_now_.push_back(change.stream);
      return;
    }
  }
}

// Of a stream in memory; its row is that of an empty one.
void writer::reserve_offsets(lmdb::txn& txn, const stream_change& change) {
  stream_ledger& ledger = books_.streams.at(change.stream);
  ledger.in_memory = true;
  ledger.log_start = ledger.next = ledger.rolled_end = change.reserved_end;
  ledger.dropped = change.dropped;
  put_checkpoint(txn, change.stream, ledger, books_.last_commit);
}

// Ids may be taken in one order and used in another.
void writer::keep_stream_id(lmdb::txn& txn, stream_id id) {
  std::string next;
  append_be(next, std::max(next_stream_of(txn, tables_), static_cast<std::uint32_t>(id) + 1));
  put_row(txn, tables_.meta, meta_next_stream, std::move(next));
}

void writer::take_share(lmdb::txn& txn, stream_share& share, blob_writer& blob) {
  const auto found = books_.streams.find(share.stream);
  if (found == books_.streams.end()) return;  // deleted while this was on its way
  stream_ledger& ledger = found->second;
  touch(share.stream);
  if (!share.open.empty()) share.batches.push_back(share.open.finish());
  const std::size_t incoming = share.append_bytes();
  mark_dirty(books_, share.stream, ledger, books_.last_commit);
  mark_age(share.stream, ledger, blob);
  keep_limits(txn, share.stream, ledger, incoming, blob);
  if (goes_to_chunks(ledger, share, incoming)) {
    rolled_up_bytes_ += ledger.recent_bytes;
    admit(share, ledger);
    keep_count(txn, share.stream, ledger);
    take_marks(share, ledger, blob);
    return checkpoint_stream(txn, share.stream, ledger, &share);
  }
  journal_share(share, ledger, blob);
  const offset_t before = ledger.log_start;
  keep_count(txn, share.stream, ledger);
  tell_trim(share.stream, ledger, before, blob);
  take_marks(share, ledger, blob);
}

// Streams that fill alike are due alike: what this commit moves on top of its own is bounded, and who comes later in it
// waits for one of the next.
bool writer::goes_to_chunks(const stream_ledger& ledger, const stream_share& share, std::size_t incoming) const {
  // Without room what is in the journal stays there: moving it takes pages, and acknowledgements need them.
  if (is_lean_) return false;
  const std::uint64_t bytes = ledger.recent_bytes + incoming;
  const bool is_due = bytes >= roll_up_bytes && rolled_up_bytes_ < rolled_up_bytes_per_commit;
  const bool fits_blobs = std::all_of(share.batches.begin(), share.batches.end(), [&](const std::string& batch) {
    return batch.size() + blob_overhead_bytes_max <= row_bytes_;
  });
  return is_due || bytes >= roll_up_bytes_max || incoming >= direct_share_bytes || !fits_blobs;
}

// Takes note of records that go straight to chunks.
void writer::admit(stream_share& share, stream_ledger& ledger) {
  for (const std::string& bytes : share.batches) {
    const batch_view batch = read_batch(bytes).value();
    TIDEGATE_EXPECT(batch.base_offset == ledger.next);
    ledger.next = batch.last_offset + 1;
    ledger.newest_timestamp_ms = std::max(ledger.newest_timestamp_ms, batch.newest_timestamp_ms);
  }
}

// Behind the share's records: a queue may be purged in the commit that fills it.
void writer::take_marks(stream_share& share, stream_ledger& ledger, blob_writer& blob) {
  blob.acked(share.stream, share.acked);
  for (const offset_range& range : share.acked) ledger.ack(range);
  blob.deliveries(share.stream, share.deliveries);
  for (const auto& [offset, count] : share.deliveries) ledger.set_deliveries(offset, count);
  if (share.trim_to) {
    blob.trimmed(share.stream, *share.trim_to);
    ledger.trim_to(*share.trim_to);
  }
  if (share.appended_bytes != share.acked_bytes) {
    ledger.count_bytes(share.appended_bytes, share.acked_bytes);
    blob.held(share.stream, ledger.held_bytes);
  }
  free_dead_chunks_later(share.stream, ledger);
}

void writer::journal_share(stream_share& share, stream_ledger& ledger, blob_writer& blob) {
  for (const std::string& bytes : share.batches) {
    const batch_view batch = read_batch(bytes).value();
    TIDEGATE_EXPECT(batch.base_offset == ledger.next);
    const auto place = blob.append(share.stream, bytes);
    const segment segment = segment_of(batch, books_.last_commit, place);
    ledger.add_segment(segment);
    added_.emplace_back(share.stream, segment);
  }
}

void writer::take_states(lmdb::txn& txn, const commit_group& group, blob_writer& blob) {
  const commit_number now = books_.last_commit;
  for (const cursor_change& change : group.cursors()) {
    const auto found = books_.streams.find(change.stream);
    if (found == books_.streams.end()) continue;
    blob.cursor(change.stream, change.group, change.state);
    set_cursor(books_, cursor_key(change.stream, change.group), change.state, now);
    if (found->second.limits.overflow == overflow::reject) let_go_of_read(txn, change.stream, found->second, blob);
  }
  for (const auto& [name, state] : group.producers()) {
    if (state) blob.producer(name, *state);
    if (!state) blob.producer_erased(name);
    set_producer(books_, name, state, now);
  }
}

void writer::put_blob(lmdb::txn& txn, blob_writer& blob) {
  for (const auto& [number, bytes] : blob.finish()) {
    txn.append(tables_.journal, journal_key(books_.last_commit, number), bytes);
    books_.journal_bytes += bytes.size();
    bytes_written_ += bytes.size();
  }
  if (books_.journal_head == 0) books_.journal_head = books_.last_commit;
}

}  // namespace tidegate::store
