// The writer's way from the journal into chunks and the state table.
#include "broker/store/roll_up.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {
namespace {

// What an oversized journal may make one commit write on top of its own: a bounded delay for those who wait for it.
constexpr std::uint64_t checkpoint_bytes_per_commit = 1 << 20;

batch_view batch_of(std::string_view bytes) {
  const auto batch = read_batch(bytes);
  if (!batch) throw storage_failure("the store is damaged: " + batch.error().text);
  return *batch;
}

ack_block block_of(const stream_ledger& ledger, std::uint64_t block) {
  ack_block out;
  const offset_t base = block * offsets_per_block, end = base + offsets_per_block;
  for (auto range = ledger.acked.range_from(base); range && range->begin < end; range = ledger.acked.range_from(range->end)) {
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

// Moves everything the journal holds of the stream, and the share of this commit, into chunks; then the stream needs
// no blob up to this one.
void writer::checkpoint_stream(lmdb::txn& txn, stream_id id, stream_ledger& ledger, const stream_share* share) {
  chunk_builder builder(ledger);
  for (const segment& segment : ledger.recent) {
    const auto bytes = segment_bytes(txn, tables_, segment);
    TIDEGATE_EXPECT(bytes.has_value());
    builder.add(batch_of(*bytes));
  }
  if (share != nullptr) {
    for (const std::string& bytes : share->batches) {
      const batch_view batch = batch_of(bytes);
      TIDEGATE_EXPECT(batch.base_offset == ledger.next);
      ledger.next = batch.last_offset + 1;
      ledger.newest_timestamp_ms = std::max(ledger.newest_timestamp_ms, batch.newest_timestamp_ms);
      builder.add(batch);
    }
  }
  for (const chunk& chunk : builder.finish()) {
    txn.put(tables_.chunk, chunk_key(id, chunk.last_offset), chunk.bytes);
    ledger.chunk_bytes += chunk.bytes.size();
    bytes_written_ += chunk.bytes.size();
    if (!ledger.first_chunk_last) ledger.first_chunk_last = chunk.last_offset;
  }
  ledger.recent.clear();
  ledger.recent_bytes = 0;
  ledger.rolled_end = ledger.next;
  free_dead_chunks(txn, id, ledger);
  put_blocks(txn, id, ledger);
  put_checkpoint(txn, id, ledger);
  touched_.insert(id);
  added_.erase(id);
}

void writer::put_checkpoint(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  txn.put(tables_.state, stream_key(id),
          encode(checkpoint{ledger.kind, ledger.log_start, ledger.next, ledger.newest_timestamp_ms, ledger.chunk_bytes,
                            books_.last_commit, ledger.maybe_delivered_before}));
  books_.dirty_streams.erase({ledger.dirty_since, id});
  ledger.dirty_since = 0;
  ledger.checkpointed = books_.last_commit;
}

// A checkpoint's other fields stay as they are: only chunks went since.
void writer::put_chunk_bytes(lmdb::txn& txn) {
  for (const stream_id id : std::exchange(resized_, {})) {
    const auto found = books_.streams.find(id);
    if (found == books_.streams.end()) continue;
    const auto row = txn.get(tables_.state, stream_key(id));
    TIDEGATE_EXPECT(row.has_value());
    checkpoint checkpoint = decode_checkpoint(*row);
    checkpoint.chunk_bytes = found->second.chunk_bytes;
    txn.put(tables_.state, stream_key(id), encode(checkpoint));
  }
}

void writer::put_blocks(lmdb::txn& txn, stream_id id, stream_ledger& ledger) {
  const std::uint64_t floor = ledger.log_start / offsets_per_block;
  for (const std::uint64_t block : ledger.dirty_blocks) {
    if (block < floor) continue;
    txn.put(tables_.state, block_key(id, block), encode(block_of(ledger, block)));
    ledger.stored_blocks.insert(block);
  }
  ledger.dirty_blocks.clear();
  while (!ledger.stored_blocks.empty() && *ledger.stored_blocks.begin() < floor) {
    txn.erase(tables_.state, block_key(id, *ledger.stored_blocks.begin()));
    ledger.stored_blocks.erase(ledger.stored_blocks.begin());
  }
  ledger.acked_since_checkpoint = 0;
}

// From three quarters of its bound on, the journal's oldest dependants are checkpointed, a megabyte's worth a commit:
// the journal then loses its head well before the bound. At the bound all that the head needs is done at once.
void writer::bound_journal(lmdb::txn& txn) {
  const std::uint64_t soft = options_.journal_bytes_max / 4 * 3;
  const std::uint64_t before = bytes_written_;
  while (books_.journal_bytes > soft && !books_.dirty_streams.empty()) {
    const bool urgent = books_.journal_bytes > options_.journal_bytes_max;
    if (!urgent && bytes_written_ - before > checkpoint_bytes_per_commit) break;
    const auto [since, id] = *books_.dirty_streams.begin();
    if (since == books_.last_commit) break;  // the newest blob stays: it carries the commit number on
    checkpoint_stream(txn, id, books_.streams.at(id), nullptr);
    if (urgent) trim_journal(txn);
  }
  if (books_.journal_bytes > soft) checkpoint_states(txn, books_.last_commit - 1);
  trim_journal(txn);
}

void writer::checkpoint_states(lmdb::txn& txn, commit_number through) {
  std::erase_if(books_.dirty_cursors, [&](const auto& cursor) {
    if (cursor.second.since > through) return false;
    txn.put(tables_.state, cursor.first, encode(cursor.second.state));
    return true;
  });
  std::erase_if(books_.dirty_producers, [&](const auto& producer) {
    if (producer.second.since > through) return false;
    const std::string key = producer_key(producer.first);
    if (producer.second.state) txn.put(tables_.state, key, encode(*producer.second.state));
    if (!producer.second.state) txn.erase(tables_.state, key);
    return true;
  });
}

commit_number writer::oldest_needed() const {
  commit_number oldest = books_.last_commit;
  if (!books_.dirty_streams.empty()) oldest = std::min(oldest, books_.dirty_streams.begin()->first);
  for (const auto& [key, entry] : books_.dirty_cursors) oldest = std::min(oldest, entry.since);
  for (const auto& [key, entry] : books_.dirty_producers) oldest = std::min(oldest, entry.since);
  return oldest;
}

// Blobs that nothing needs any more, from the head, within the bound on what one commit frees.
void writer::trim_journal(lmdb::txn& txn) {
  if (books_.journal_head >= books_.last_commit) return;
  const commit_number needed = oldest_needed();
  if (books_.journal_head >= needed) return;
  lmdb::cursor cursor(txn, tables_.journal);
  auto blob = cursor.first();
  while (blob && commit_of_journal_key(blob->key) < needed && freed_bytes_ < freed_bytes_per_commit) {
    books_.journal_bytes -= blob->value.size();
    freed_bytes_ += blob->value.size();
    cursor.erase();
    blob = cursor.next();
  }
  if (blob) books_.journal_head = commit_of_journal_key(blob->key);
}

}  // namespace tidegate::store
