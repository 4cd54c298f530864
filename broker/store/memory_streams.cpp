#include "broker/store/memory_streams.hpp"

#include <algorithm>
#include <limits>

namespace tidegate::store {
namespace {

// Bytes dropped in addition to those asked for, because finding the largest log takes time.
constexpr std::uint64_t give_way_bytes = 64 * 1024;

// Of a transient stream: its offsets need no reservation.
constexpr offset_t never_reserved_end = std::numeric_limits<offset_t>::max();

stream_change row_of(stream_id id, const stream_view& view, offset_t reserved_end) {
  stream_change row{stream_change::what::reserve, id, view.kind, {}};
  row.reserved_end = reserved_end;
  row.dropped = view.drops;
  return row;
}

}  // namespace

template <class Change>
void memory_streams::change(memory_stream& stream, const Change& change) {
  const stream_view before = stream.view();
  change(stream);
  use_.bytes += stream.view().bytes - before.bytes;
  use_.dropped += stream.view().drops.records - before.drops.records;
}

void memory_streams::add(stream_id id, stream_kind kind, stream_limits limits, offset_t begin, offset_t reserved_end,
                         drop_totals dropped) {
  streams_.emplace(id, entry{memory_stream(kind, std::move(limits), begin, dropped), reserved_end, reserved_end});
}

void memory_streams::add_transient(stream_id id) { add(id, stream_kind::queue, {}, 0, never_reserved_end, {}); }

void memory_streams::remove_transient(stream_id id) {
  stream_change gone;
  gone.change = stream_change::what::drop;
  gone.stream = id;
  apply(gone);
}

void memory_streams::apply(const stream_change& change) {
  if (change.change == stream_change::what::create && change.in_memory) {
    return add(change.stream, change.kind, change.limits, 0, change.reserved_end, {});
  }
  const auto found = streams_.find(change.stream);
  if (found == streams_.end()) return;
  if (change.change == stream_change::what::limit) found->second.stream.set_limits(change.limits);
  if (change.change == stream_change::what::reserve) found->second.reserved_end = change.reserved_end;
  if (change.change != stream_change::what::drop) return;
  use_.bytes -= found->second.stream.view().bytes;
  streams_.erase(found);
}

void memory_streams::apply(const cursor_change& moved) {
  const auto found = streams_.find(moved.stream);
  if (found == streams_.end()) return;
  change(found->second.stream, [&](memory_stream& stream) { stream.set_cursor(moved.group, moved.state.offset); });
}

std::vector<stream_update> memory_streams::apply(commit_group& group) {
  promised_bytes_ -= group.contents().promised_bytes;
  lifetime_ = std::max(lifetime_, group.contents().time.lifetime);
  std::vector<stream_update> updates;
  for (stream_share& share : group.contents().shares) {
    const auto found = streams_.find(share.stream);
    if (found == streams_.end()) continue;  // deleted meanwhile
    change(found->second.stream, [&](memory_stream& stream) { stream.take(share, lifetime_); });
    updates.emplace_back(share.stream, found->second.stream.view());
  }
  // Counts the drops of queues. The loss ledger is on flash, and has no records of messages that never were there.
  for (const auto& [lost, is_tied] : group.contents().losses) {
    const auto found = streams_.find(lost.stream);
    if (found == streams_.end()) continue;
    change(found->second.stream, [&](memory_stream& stream) { stream.count_drops(lost.records, lost.unread); });
  }
  if (!group.contents().expires) return updates;
  for (auto& [id, entry] : streams_) {
    const offset_t before = entry.stream.view().log_start;
    change(entry.stream, [&](memory_stream& stream) { stream.expire(lifetime_); });
    if (entry.stream.view().log_start != before) updates.emplace_back(id, entry.stream.view());
  }
  return updates;
}

const memory_stream* memory_streams::find(stream_id id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second.stream;
}

bool memory_streams::is_reserved(stream_id id, offset_t end) const {
  const auto found = streams_.find(id);
  return found != streams_.end() && end <= found->second.reserved_end;
}

std::vector<stream_change> memory_streams::reservations_for(const commit_group& group) {
  std::vector<stream_change> rows;
  for (const stream_share& share : group.contents().shares) {
    const auto found = streams_.find(share.stream);
    if (found == streams_.end() || !share.appends()) continue;
    offset_t& asked_end = found->second.asked_end;
    if (asked_end == never_reserved_end) continue;
    if (share.end() + offsets_per_reservation / 2 <= asked_end) continue;
    asked_end = share.end() + offsets_per_reservation;
    rows.push_back(row_of(share.stream, found->second.stream.view(), asked_end));
  }
  return rows;
}

std::vector<stream_change> memory_streams::final_rows() const {
  std::vector<stream_change> rows;
  for (const auto& [id, entry] : streams_) {
    const stream_view& view = entry.stream.view();
    if (entry.reserved_end == never_reserved_end) continue;
    if (view.end != entry.reserved_end) rows.push_back(row_of(id, view, view.end));
  }
  return rows;
}

std::uint64_t memory_streams::excess_with(std::uint64_t wanted) const {
  const std::uint64_t bytes = use_.bytes + promised_bytes_ + wanted;
  return bytes - std::min(bytes, use_.bytes_max);
}

bool memory_streams::promise(commit_group& group, std::uint64_t bytes, std::uint64_t batches) {
  const std::uint64_t wanted = bytes + batches * memory_stream::cost_of_batch(record_batch_header_bytes);
  if (const std::uint64_t excess = excess_with(wanted); excess > 0) {
    std::uint64_t yields = 0;
    for (const auto& [id, entry] : streams_) yields += entry.stream.gives_way_bytes();
    if (yields < excess) return false;
    give_way(excess);
  }
  group.contents().promised_bytes += wanted;
  promised_bytes_ += wanted;
  return true;
}

void memory_streams::give_way(std::uint64_t bytes) {
  const std::uint64_t before = use_.bytes;
  for (const bool also_unread : {false, true}) {
    while (before - use_.bytes < bytes + (also_unread ? 0 : give_way_bytes)) {
      memory_stream* const largest = largest_that_gives_way(also_unread);
      if (largest == nullptr) break;
      change(*largest, [](memory_stream& stream) { stream.give_way(); });
    }
  }
}

memory_stream* memory_streams::largest_that_gives_way(bool also_unread) {
  memory_stream* largest = nullptr;
  for (auto& [id, entry] : streams_) {
    const bool is_larger = largest == nullptr || entry.stream.view().bytes > largest->view().bytes;
    if (is_larger && entry.stream.gives_way(also_unread)) largest = &entry.stream;
  }
  return largest;
}

}  // namespace tidegate::store
