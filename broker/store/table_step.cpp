#include "broker/store/table_step.hpp"

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/store/roll_up.hpp"
#include "broker/store/rows.hpp"
#include "broker/store/thinning.hpp"

namespace tidegate::store {
namespace {

// Bytes that a checkpoint costs besides its own: the pages of its rows, so that many small streams count as well.
constexpr std::uint64_t checkpoint_overhead_bytes = 4'096;

}  // namespace

void table_step::put(lmdb::table table, std::string_view key, std::string value) {
  written_ += value.size();
  put_row(txn_, table, key, std::move(value));
}

void table_step::roll_up_due() {
  while (!books_.due.empty() && has_room_to_move()) {
    roll_up(*books_.due.begin());
  }
}

std::string_view table_step::batch_of(const segment& segment, blob_writer* own) const {
  const bool is_own = own != nullptr && segment.commit == books_.last_commit;
  return is_own ? own->batch_at(static_cast<std::uint32_t>(segment.position))
                : journal_.at(segment.position, segment.size);
}

void table_step::roll_up(stream_id id, blob_writer* own) {
  stream_ledger& ledger = books_.streams.at(id);
  const std::uint64_t before = written_;
  chunk_builder builder(ledger);
  for (const segment& segment : ledger.recent.segments) {
    const auto batch = read_batch(batch_of(segment, own));
    const bool is_there = batch && batch->bytes.size() == segment.size && batch->base_offset == segment.first;
    if (!is_there) throw store_damaged("the store is damaged: its journal lost a batch while it was open");
    if (segment.commit == books_.last_commit) builder.cut();
    builder.add(*batch);
  }
  for (packed_chunk& chunk : builder.finish()) {
    const std::int64_t running = ledger.chunks.times.add({chunk.last_offset, chunk.newest_timestamp_ms});
    const chunk_header header{{id, chunk.last_offset}, ledger.chunks.covered_end, chunk.newest_timestamp_ms, running};
    seal_in_place(header, chunk.row);
    put_chunk(txn_, tables_.chunk, header.place, chunk.row, bounds_.row_bytes);
    ledger.chunks.covered_end = chunk.last_offset + 1;
    ledger.chunks.bytes += chunk.batches().size();
    written_ += chunk.row.size();
    if (!ledger.chunks.first_last) ledger.chunks.first_last = chunk.last_offset;
  }
  ledger.recent.segments = {};
  ledger.recent.bytes = 0;
  ledger.recent.rolled_end = ledger.next;
  count_pledge(books_, ledger);
  // Chunks can be a little longer than their batches were: headers, longer varints.
  const std::uint64_t bound = ledger.kind == stream_kind::log ? ledger.limits.bytes_max : 0;
  if (bound != 0 && ledger.bytes() > ledger.limits.kept(bound)) books_.over_bound.insert(id);
  thin(id, ledger);
  put_blocks(id, ledger);
  put_stream(id, ledger);
  books_.due.erase(id);
  touched_.insert(id);
  moved_ += written_ - before + checkpoint_overhead_bytes;
}

void table_step::put_stream(stream_id id, stream_ledger& ledger) {
  put(tables_.state, stream_key(id), encode(ledger.as_checkpoint(books_.last_commit)));
  books_.dirty_streams.erase({ledger.debt.dirty_since, id});
  ledger.debt.dirty_since = 0;
  ledger.debt.checkpointed = books_.last_commit;
  resized_.erase(id);
}

void table_step::erase_block_rows(stream_id id, stream_ledger& ledger, offset_range blocks) {
  queue_marks* const marks = ledger.marks.used();
  if (marks == nullptr) return;
  auto& stored = marks->stored_blocks;
  for (auto at = stored.lower_bound(blocks.begin); at != stored.end() && *at < blocks.end; at = stored.erase(at)) {
    txn_.erase(tables_.state, block_key(id, *at));
  }
}

// Consecutive blocks that are acknowledged whole have one row, so what is stored after one unsettled message does not
// grow with later acknowledgements.
void table_step::put_blocks(stream_id id, stream_ledger& ledger) {
  ledger.acked_since_checkpoint = 0;
  queue_marks* const marks = ledger.marks.used();
  if (marks == nullptr) return;
  const std::uint64_t floor = ledger.log_start / offsets_per_block;
  auto& dirty = marks->dirty_blocks;
  for (auto at = dirty.lower_bound(floor); at != dirty.end();) {
    const offset_range full = marks->full_blocks(*at);
    const std::uint64_t block = full.empty() ? *at : full.begin;
    put(tables_.state, block_key(id, block), encode(marks->block(block)));
    if (!full.empty()) erase_block_rows(id, ledger, {full.begin + 1, full.end});
    marks->stored_blocks.insert(block);
    at = dirty.lower_bound(full.empty() ? block + 1 : full.end);
  }
  dirty.clear();
  erase_block_rows(id, ledger, {0, floor});
  if (marks->empty()) ledger.marks.reset();
}

void table_step::roll_up_through(commit_number through) {
  while (!books_.dirty_streams.empty() && has_room_to_move()) {
    const auto [since, id] = *books_.dirty_streams.begin();
    if (since > through) return;
    roll_up(id);
  }
}

void table_step::put_all(std::uint64_t loss_rows_max, blob_writer* own) {
  erase_dropped();
  put_facts(books_.last_commit);
  put_losses(books_.last_commit, loss_rows_max);
  while (!books_.dirty_streams.empty()) roll_up(books_.dirty_streams.begin()->second, own);
}

void table_step::put_facts(commit_number through) {
  if (books_.facts_since == 0 || books_.facts_since > through) return;
  commit_number oldest = 0;
  std::erase_if(books_.dirty_facts, [&](const auto& fact) {
    const auto& [name, state] = fact;
    if (state.since > through) {
      oldest = oldest == 0 ? state.since : std::min(oldest, state.since);
      return false;
    }
    const lmdb::table table = table_of(tables_, space_of(name));
    if (state.value) {
      fact_row row = row_of(name, *state.value);
      put(table, row.key, std::move(row.value));
    } else {
      txn_.erase(table, row_key_of(name));
    }
    return true;
  });
  books_.facts_since = oldest;
}

void table_step::put_losses(commit_number through, std::uint64_t rows_max) {
  books_.losses.put(txn_, tables_.loss, through, rows_max);
}

void table_step::erase_prefix(const std::string& prefix) {
  lmdb::cursor rows(txn_, tables_.state);
  for (auto row = rows.seek(prefix); row && row->key.starts_with(prefix); row = rows.next()) rows.erase();
}

// Erases blocks and facts of deleted streams, whatever their letters: one search for each letter.
void table_step::erase_dropped() {
  for (const auto& [id, since] : std::exchange(books_.dropped, {})) {
    std::string prefix = stream_key(id);
    txn_.erase(tables_.state, prefix);
    prefix.front() = state_block;
    erase_prefix(prefix);
    for (char space = 'a'; space <= 'z'; ++space) {
      prefix.front() = space;
      erase_prefix(prefix);
    }
  }
}

void table_step::free_chunks() {
  for (const stream_id id : std::exchange(books_.streams_to_thin, {})) {
    if (books_.streams.contains(id)) roll_up(id);
  }
  free_head_chunks();
  free_orphans();
}

// Rewrites a queue's chunks after the log start that have few or no live messages. Consecutive blocks are one range.
void table_step::thin(stream_id id, stream_ledger& ledger) {
  queue_marks* const marks = ledger.marks.used();
  if (marks == nullptr) return;
  offset_set& blocks = marks->blocks_to_thin;
  const offset_t limit = ledger.recent.reported_rolled_end;
  // Blocks that may not be changed yet. The block that contains the limit is handled now, and again later.
  offset_set wait;
  std::uint64_t from = limit / offsets_per_block;
  for (auto range = blocks.range_from(from); range; range = blocks.range_from(range->end)) {
    wait.insert({std::max(range->begin, from), range->end});
  }
  blocks.erase({(limit + offsets_per_block - 1) / offsets_per_block, ~std::uint64_t{0}});
  thinning thinning(txn_, tables_, id, ledger, bounds_.row_bytes);
  const std::uint64_t freed_before = freed_, read_before = read_;
  while (!blocks.empty() && may_free_more() && read_ < bounds_.freed_bytes) {
    from = marks->thinned_to / offsets_per_block;
    auto found = blocks.range_from(from);
    if (!found) {
      from = marks->thinned_to = 0;
      found = blocks.range_from(0);
    }
    const std::uint64_t first = std::max(found->begin, from);
    const offset_range within{std::max(first * offsets_per_block, marks->thinned_to), found->end * offsets_per_block};
    const offset_t came_to = thinning.thin(within, limit, bounds_.freed_bytes - std::max(freed_, read_));
    marks->thinned_to = std::max(within.begin, came_to);
    freed_ = freed_before + thinning.freed();
    read_ = read_before + thinning.read();
    blocks.erase({first, marks->thinned_to / offsets_per_block});
    if (marks->thinned_to < within.end) break;
  }
  written_ += thinning.written();
  if (!blocks.empty()) books_.streams_to_thin.insert(id);
  for (auto range = wait.range_from(0); range; range = wait.range_from(range->end)) blocks.insert(*range);
}

void table_step::repack(const chunk_repack& wanted) {
  const auto stream = books_.streams.find(wanted.stream);
  if (stream == books_.streams.end() || stream->second.kind != stream_kind::log) return;
  stream_ledger& ledger = stream->second;
  chunk_cursor chunks(txn_, tables_.chunk);
  chunks.seek(wanted.stream, wanted.covered.begin);
  std::optional<chunk_header> first, last;
  for (auto end = chunks.last_offset_in(wanted.stream); end && *end < wanted.covered.end;
       end = chunks.last_offset_in(wanted.stream)) {
    const auto header = read_chunk_header({wanted.stream, *end}, chunks.first_row());
    if (!header || (last && last->place.last_offset + 1 != header->covered_from)) return;
    if (!first) first = *header;
    last = *header;
    chunks.next();
  }
  // The chunks may be gone, or have been replaced.
  const bool is_there = last && first->covered_from == wanted.covered.begin &&
                        last->place.last_offset + 1 == wanted.covered.end &&
                        wanted.covered.end <= ledger.recent.reported_rolled_end && ledger.chunks.first_last &&
                        first->place.last_offset >= *ledger.chunks.first_last;
  if (!is_there) return;
  chunk_builder builder(ledger);
  for (const std::string& batch : wanted.batches) builder.add_untouched(read_batch(batch).value());
  chunk_exchange exchange(txn_, tables_, wanted.stream, ledger, bounds_.row_bytes);
  exchange.put(*first, *last, builder.finish());
  written_ += exchange.written();
  freed_ += exchange.freed();
  resized_.insert(wanted.stream);
  touched_.insert(wanted.stream);
}

// The cursor moves to the next chunk.
void table_step::free_chunk(chunk_cursor& chunks, stream_id id, stream_ledger& ledger) {
  const offset_t last = chunks.last_offset_in(id).value();
  const chunk_cursor::erased gone = chunks.erase();
  ledger.chunks.gone(last, gone.bytes);
  freed_ += gone.page_bytes;
  resized_.insert(id);
}

// Frees chunks that are wholly below the log start.
void table_step::free_head_chunks() {
  for (auto id = books_.streams_to_free.begin(); id != books_.streams_to_free.end() && may_free_more();) {
    stream_ledger& ledger = books_.streams.at(*id);
    chunk_cursor chunks(txn_, tables_.chunk);
    chunks.seek(*id, 0);
    auto first = chunks.last_offset_in(*id);
    for (; first && *first < ledger.log_start && may_free_more(); first = chunks.last_offset_in(*id)) {
      free_chunk(chunks, *id, ledger);
    }
    ledger.chunks.set_first(first);
    touched_.insert(*id);
    const bool is_done = !first || *first >= ledger.log_start;
    id = is_done ? books_.streams_to_free.erase(id) : std::next(id);
  }
}

void table_step::free_orphans() {
  while (!books_.orphans.empty() && may_free_more()) {
    const stream_id id = *books_.orphans.begin();
    chunk_cursor chunks(txn_, tables_.chunk);
    chunks.seek(id, 0);
    while (chunks.last_offset_in(id) && may_free_more()) freed_ += chunks.erase().page_bytes;
    if (!chunks.last_offset_in(id)) books_.orphans.erase(id);
  }
}

// The checkpoint's other fields stay as they are: only chunks were removed since.
void table_step::put_chunk_bytes() {
  for (const stream_id id : std::exchange(resized_, {})) {
    const auto found = books_.streams.find(id);
    const auto row = get_row(txn_, tables_.state, stream_key(id));
    if (found == books_.streams.end() || !row) continue;
    checkpoint changed = decode_checkpoint(*row);
    changed.chunk_bytes = found->second.chunks.bytes;
    put(tables_.state, stream_key(id), encode(changed));
  }
}

commit_number table_step::oldest_needed() const {
  commit_number oldest = books_.last_commit + 1;
  const auto needs = [&](commit_number since) {
    if (since != 0) oldest = std::min(oldest, since);
  };
  if (!books_.dirty_streams.empty()) needs(books_.dirty_streams.begin()->first);
  needs(books_.facts_since);
  needs(books_.losses.dirty_since());
  for (const auto& [id, since] : books_.dropped) needs(since);
  return oldest;
}

void table_step::commit(std::uint64_t generation, const std::function<void()>& before_it) {
  put_chunk_bytes();
  if (books_.next_stream != books_.next_stream_stored) {
    std::string next;
    append_be(next, books_.next_stream);
    put(tables_.meta, meta_next_stream, std::move(next));
  }
  const ring_place head = journal_.place_before(oldest_needed());
  put(tables_.meta, meta_journal,
      encode(journal_row{journal_.id(), generation, head, books_.last_commit, books_.time}));
  number_ = txn_.number();
  if (before_it) before_it();
  txn_.commit();
  books_.next_stream_stored = books_.next_stream;
  journal_.move_head(head);
}

}  // namespace tidegate::store
