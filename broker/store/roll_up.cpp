#include "broker/store/roll_up.hpp"

namespace tidegate::store {
namespace {

// Below it the 61 bytes of a batch's header are worth the work of merging; a bigger batch is copied as it is.
constexpr std::size_t merge_below_bytes = 4 * 1024;

constexpr std::uint64_t no_producer = ~std::uint64_t{0};

bool is_mergeable(const batch_view& batch) {
  return batch.attributes == 0 && batch.producer_id == no_producer && batch.bytes.size() < merge_below_bytes;
}

bool is_whole(const batch_view& batch, const stream_ledger& ledger) {
  if (batch.base_offset < ledger.log_start) return ledger.kind == stream_kind::log;
  const auto dead = ledger.acked.range_from(batch.base_offset);
  return !dead || dead->begin > batch.last_offset;
}

}  // namespace

void chunk_builder::add(const batch_view& batch) {
  if (batch.last_offset < ledger_.log_start) return;
  // A producer's compressed batch is only ever in a log, where nothing dies one by one.
  if (is_mergeable(batch) || !is_whole(batch, ledger_)) return add_records(batch);
  close_merged();
  add_whole(batch.bytes, batch.last_offset);
}

void chunk_builder::add_records(const batch_view& batch) {
  record_reader reader(batch);
  record_view record;
  while (reader.next(record)) {
    if (!ledger_.is_live(record.offset)) continue;
    // Room for the record's own varints and its header entries' lengths.
    const std::size_t bound = record.key.size() + record.body.size() + 64 + batch.bytes.size() / batch.count;
    if (!merged_.empty() && open_.bytes.size() + merged_.size() + bound > chunk_bytes_max) close_merged();
    merged_.add(record);
  }
  if (reader.failed()) throw storage_failure("the store is damaged: a batch in the journal does not decode");
}

void chunk_builder::close_merged() {
  if (merged_.empty()) return;
  const offset_t last = merged_.last_offset();
  add_whole(merged_.finish(), last);
}

void chunk_builder::add_whole(std::string_view batch, offset_t last_offset) {
  if (!open_.bytes.empty() && open_.bytes.size() + batch.size() > chunk_bytes_max) close_chunk();
  open_.bytes.append(batch);
  open_.last_offset = last_offset;
}

void chunk_builder::close_chunk() {
  if (!open_.bytes.empty()) chunks_.push_back(std::exchange(open_, {}));
}

std::vector<chunk> chunk_builder::finish() {
  close_merged();
  close_chunk();
  return std::move(chunks_);
}

}  // namespace tidegate::store
