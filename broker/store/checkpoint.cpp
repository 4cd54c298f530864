// The writer's way from the journal into chunks and the state table.
#include "broker/store/chunk.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/roll_up.hpp"
#include "broker/store/rows.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {
namespace {

// What an oversized journal may make one commit write on top of its own: a bounded delay for those who wait for it.
constexpr std::uint64_t checkpoint_bytes_per_commit = 1 << 20;

// Besides what it writes: the pages of its rows, so that many small streams count as well.
constexpr std::uint64_t checkpoint_overhead_bytes = 4096;

ack_block block_of(const stream_ledger& ledger, std::uint64_t block) {
  ack_block out;
  const offset_t base = block * offsets_per_block, end = base + offsets_per_block;
  for (auto range = ledger.acked.range_from(base); range && range->begin < end;
       range = ledger.acked.range_from(range->end)) {
    for (offset_t offset = std::max(range->begin, base); offset < std::min(range->end, end); ++offset) {
      const auto bit = offset - base;
      out.bits[bit / 8] = static_cast<char>(out.bits[bit / 8] | (1 << (bit % 8)));
    }
  }
  for (auto counted = ledger.deliveries.lower_bound(base); counted != ledger.deliveries.end() && counted->first < end;
       ++counted) {
    out.deliveries.emplace_back(static_cast<std::uint16_t>(counted->first - base), counted->second);
  }
  return out;
}

}  // namespace

// Moves everything the journal holds of the stream, and the share of this commit (which the ledger has taken note of
// already), into chunks; then the stream needs no blob up to this one.
void writer::checkpoint_stream(lmdb::txn& txn, stream_id id, stream_ledger& ledger, const stream_share* share) {
  chunk_builder builder(ledger);
  for (const segment& segment : ledger.recent) {
    const auto batch = segment_batch(txn, tables_, segment);
    if (!batch) throw store_damaged(batch.error().text);
    TIDEGATE_EXPECT(batch->has_value());
    if (segment.commit == books_.last_commit) builder.cut();
    builder.add(**batch);
  }
  builder.cut();
  if (share != nullptr) {
    for (const std::string& bytes : share->batches) builder.add(read_batch(bytes).value());
  }
  for (const packed_chunk& chunk : builder.finish()) {
    const std::string value = seal_chunk({id, chunk.last_offset}, chunk.batches);
    put_chunk(txn, tables_.chunk, {id, chunk.last_offset}, value, row_bytes_);
    ledger.chunk_bytes += value.size();
    bytes_written_ += value.size();
    if (!ledger.first_chunk_last) ledger.first_chunk_last = chunk.last_offset;
  }
  ledger.recent.clear();
  ledger.recent_bytes = 0;
  ledger.rolled_end = ledger.next;
  // Chunks can be a little longer than the batches they were made of: their headers, longer varints.
  drop_excess(txn, id, ledger, 0);
  free_dead_chunks(txn, id, ledger);
  put_blocks(txn, id, ledger);
  put_checkpoint(txn, id, ledger, books_.last_commit);
  touch(id);
}

// `commit`: the last one whose blob the stream does not need.
void writer::put_checkpoint(lmdb::txn& txn, stream_id id, stream_ledger& ledger, commit_number commit) {
  put_row(txn, tables_.state, stream_key(id), encode(ledger.as_checkpoint(commit)));
  books_.dirty_streams.erase({ledger.dirty_since, id});
  ledger.dirty_since = 0;
  ledger.checkpointed = commit;
}

// A checkpoint's other fields stay as they are: only chunks went since.
void writer::put_chunk_bytes(lmdb::txn& txn) {
  for (const stream_id id : std::exchange(resized_, {})) {
    const auto found = books_.streams.find(id);
    if (found == books_.streams.end()) continue;
    const auto row = get_row(txn, tables_.state, stream_key(id));
    TIDEGATE_EXPECT(row.has_value());
    checkpoint checkpoint = decode_checkpoint(*row);
    checkpoint.chunk_bytes = found->second.chunk_bytes;
    put_row(txn, tables_.state, stream_key(id), encode(checkpoint));
  }
}

void writer::put_blocks(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  const std::uint64_t floor = ledger.log_start / offsets_per_block;
  for (const std::uint64_t block : ledger.dirty_blocks) {
    if (block < floor) continue;
    put_row(txn, tables_.state, block_key(id, block), encode(block_of(ledger, block)));
    ledger.stored_blocks.insert(block);
  }
  ledger.dirty_blocks.clear();
  while (!ledger.stored_blocks.empty() && *ledger.stored_blocks.begin() < floor) {
    txn.erase(tables_.state, block_key(id, *ledger.stored_blocks.begin()));
    ledger.stored_blocks.erase(ledger.stored_blocks.begin());
  }
  ledger.acked_since_checkpoint = 0;
}

// From three quarters of its bound on, what needs the older half of the journal is checkpointed, a megabyte's worth a
// commit: the journal then loses its head well before the bound, and what changes all the time is not written into the
// tables at every commit. At the bound all that the head needs is done at once.
void writer::bound_journal(lmdb::txn& txn) {
  const std::uint64_t soft = options_.journal_bytes_max / 4 * 3;
  // The newest blob stays: it carries the commit number on.
  const commit_number newest = books_.last_commit;
  if (books_.journal_bytes > soft && !is_lean_) {
    const bool urgent = books_.journal_bytes > options_.journal_bytes_max;
    const commit_number through = urgent ? newest - 1 : books_.journal_head + (newest - books_.journal_head) / 2;
    checkpoint_states(txn, std::min(through, newest - 1));
    checkpoint_streams(txn, std::min(through, newest - 1), urgent);
  }
  trim_journal(txn);
}

void writer::checkpoint_streams(lmdb::txn& txn, commit_number through, bool urgent) {
  std::uint64_t work = 0;
  while (!books_.dirty_streams.empty() && (urgent || work < checkpoint_bytes_per_commit)) {
    const auto [since, id] = *books_.dirty_streams.begin();
    if (since > through) return;
    const std::uint64_t before = bytes_written_;
    checkpoint_stream(txn, id, books_.streams.at(id), nullptr);
    work += bytes_written_ - before + checkpoint_overhead_bytes;
    if (!urgent) continue;
    trim_journal(txn);
    if (books_.journal_bytes <= options_.journal_bytes_max || !may_free_more()) return;
  }
}

void writer::checkpoint_states(lmdb::txn& txn, commit_number through) {
  books_.losses.put(txn, tables_.loss, through, options_.loss_rows_max);
  if (books_.states_since == 0 || books_.states_since > through) return;
  commit_number oldest = 0;
  const auto is_left = [&](commit_number since) {
    if (since > through) oldest = oldest == 0 ? since : std::min(oldest, since);
    return since > through;
  };
  std::erase_if(books_.dirty_cursors, [&](const auto& cursor) {
    if (is_left(cursor.second.since)) return false;
    put_row(txn, tables_.state, cursor.first, encode(cursor.second.state));
    return true;
  });
  std::erase_if(books_.dirty_producers, [&](const auto& producer) {
    if (is_left(producer.second.since)) return false;
    const std::string key = producer_key(producer.first);
    if (producer.second.state) put_row(txn, tables_.state, key, encode(*producer.second.state));
    if (!producer.second.state) txn.erase(tables_.state, key);
    return true;
  });
  books_.states_since = oldest;
}

commit_number writer::oldest_needed() const {
  commit_number oldest = books_.last_commit;
  if (!books_.dirty_streams.empty()) oldest = std::min(oldest, books_.dirty_streams.begin()->first);
  if (books_.states_since != 0) oldest = std::min(oldest, books_.states_since);
  if (books_.losses.dirty_since() != 0) oldest = std::min(oldest, books_.losses.dirty_since());
  return oldest;
}

// Blobs that nothing needs any more, from the head, within the bound on what one commit frees; of a commit all parts or
// none, so that a journal without its first part is known to have lost it. One commit may always go, whatever else was
// freed: the journal must not grow where each commit frees as much as it may.
void writer::trim_journal(lmdb::txn& txn) {
  if (books_.journal_head >= books_.last_commit) return;
  const commit_number needed = oldest_needed();
  if (books_.journal_head >= needed) return;
  lmdb::cursor cursor(txn, tables_.journal);
  commit_number begun = 0;
  for (auto blob = cursor.first(); blob; blob = cursor.next()) {
    const commit_number commit = commit_of_journal_key(blob->key);
    const bool may_go = commit < needed && (commit == begun || (begun == 0 && !is_lean_) || may_free_more());
    if (!may_go) {
      books_.journal_head = commit;
      return;
    }
    begun = commit;
    books_.journal_bytes -= blob->value.size();
    freed_bytes_ += lmdb::page_bytes_of(blob->value);
    cursor.erase();
  }
}

}  // namespace tidegate::store
