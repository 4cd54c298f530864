#include "broker/store/roll_up.hpp"

#include <algorithm>

namespace tidegate::store {
namespace {

// A batch below this size is merged, because its header of 61 bytes is worth the work. A bigger one is copied as it is.
constexpr std::size_t merge_below_bytes = 4 * 1024;

constexpr std::size_t batches_bytes_max = chunk_bytes_max - chunk_header_bytes;

// Most offsets between a batch's first and last one: an int32 for Kafka's clients.
constexpr std::uint64_t batch_offsets_max = (std::uint64_t{1} << 31) - 1;

constexpr std::uint64_t no_producer = ~std::uint64_t{0};

// A producer's compressed batch is only in a log, where records are not acknowledged one by one.
bool is_whole(const batch_view& batch, const stream_ledger& ledger) {
  if (batch.compressed()) return true;
  if (batch.base_offset < ledger.log_start) return ledger.kind == stream_kind::log;
  const auto dead = ledger.marks->acked.range_from(batch.base_offset);
  return !dead || dead->begin > batch.last_offset;
}

}  // namespace

bool is_mergeable(const batch_view& batch) {
  return batch.attributes == 0 && batch.producer_id == no_producer && batch.bytes.size() < merge_below_bytes;
}

void chunk_builder::add(const batch_view& batch) {
  if (batch.last_offset < ledger_.log_start) return;
  if (is_mergeable(batch) || !is_whole(batch, ledger_)) return add_records(batch);
  add_untouched(batch);
}

void chunk_builder::add_untouched(const batch_view& batch) {
  close_merged();
  add_whole(batch.bytes, batch.last_offset, batch.newest_timestamp_ms);
}

// Merged records get a new CRC, so damage has to be detected here or never.
void chunk_builder::add_records(const batch_view& batch) {
  if (!crc_matches(batch)) throw store_damaged("the store is damaged: a batch in the journal fails its CRC-32C");
  record_reader reader(batch);
  raw_record record;
  while (reader.next(record)) {
    if (!ledger_.is_live(record.offset)) continue;
    if (!merged_.empty() && record.offset - merged_.base_offset() > batch_offsets_max) close_merged();
    const std::size_t header = merged_.empty() ? record_batch_header_bytes : 0;
    if (open_.batches().size() + merged_.size() + header + record.size_bound() > batches_bytes_max) {
      close_merged();
      close_chunk();
    }
    merged_.add(record);
  }
  if (reader.failed()) throw store_damaged("the store is damaged: a batch in the journal does not decode");
}

void chunk_builder::close_merged() {
  if (merged_.empty()) return;
  const offset_t last = merged_.last_offset();
  const std::int64_t newest = merged_.newest_timestamp_ms();
  add_whole(merged_.finish(), last, newest);
}

void chunk_builder::add_whole(std::string_view batch, offset_t last_offset, std::int64_t newest_timestamp_ms) {
  if (!open_.row.empty() && open_.batches().size() + batch.size() > batches_bytes_max) close_chunk();
  if (open_.row.empty()) {
    open_.row.reserve(std::max(chunk_header_bytes + batch.size(), packed_bytes_));
    open_.row.assign(chunk_header_bytes, '\0');
  }
  open_.row.append(batch);
  open_.last_offset = last_offset;
  open_.newest_timestamp_ms = std::max(open_.newest_timestamp_ms, newest_timestamp_ms);
}

void chunk_builder::close_chunk() {
  if (open_.row.empty()) return;
  packed_bytes_ = open_.row.size();
  chunks_.push_back(std::exchange(open_, {}));
}

std::vector<packed_chunk> chunk_builder::finish() {
  close_merged();
  close_chunk();
  return std::move(chunks_);
}

}  // namespace tidegate::store
