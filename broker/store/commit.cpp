#include "broker/store/commit.hpp"

#include <algorithm>

namespace tidegate::store {

void commit::dropped(stream_id id) {
  std::erase(touched_, id);
  dropped_.push_back(id);
}

void commit::lose(loss_record record) {
  record.since = record.until = books_.time.wall;
  record.wall_trusted = books_.time.wall_trusted;
  books_.losses.note(record, books_.time.lifetime, number_);
  const bool is_dropped = record.reason != loss_reason::damaged && record.reason != loss_reason::device;
  const auto stream = books_.streams.find(record.stream);
  if (!is_dropped || stream == books_.streams.end()) return;
  stream->second.dropped.records += record.records;
  stream->second.dropped.unread += record.unread;
}

void commit::tell_losses() {
  for (const auto& [number, record] : books_.losses.take_changed()) {
    const auto stream = books_.streams.find(record.stream);
    blob_.lost(number, record, stream == books_.streams.end() ? drop_totals{} : stream->second.dropped);
    losses_[number] = record;
  }
}

void commit::tell_trim(stream_id id, stream_ledger& ledger, offset_t before) {
  if (ledger.log_start == before) return;
  mark_dirty(books_, id, ledger, number_);
  touch(id);
  blob_.trimmed(id, ledger.log_start);
}

void commit::placed(ring_position position) {
  for (auto& [id, segment] : added_) segment.position += position;
  for (const stream_id id : touched()) {
    auto& recent = books_.streams.at(id).recent.segments;
    for (auto own = recent.rbegin(); own != recent.rend() && own->commit == number_; ++own) own->position += position;
  }
}

std::vector<stream_id> commit::touched() {
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  return touched_;
}

}  // namespace tidegate::store
