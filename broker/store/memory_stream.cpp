#include "broker/store/memory_stream.hpp"

#include <algorithm>

#include "broker/base/error.hpp"
#include "broker/store/protection.hpp"
#include "broker/store/roll_up.hpp"

namespace tidegate::store {
namespace {

// Small batches are packed into batches of this size when `loose_bytes_max` of them have arrived, so that their headers
// do not take more room than their records. Not earlier: otherwise a reader at the end would get old records with each
// new one.
constexpr std::size_t packed_batch_bytes = 16 * 1024;
constexpr std::uint64_t loose_bytes_max = 64 * 1024;

// Bytes that malloc adds to a piece of memory, and a map's node to its value, approximately.
constexpr std::uint64_t malloc_bytes = 16, node_bytes = 32 + malloc_bytes;
constexpr std::uint64_t offsets_per_word = 64;

}  // namespace

memory_stream::memory_stream(stream_kind kind, stream_limits limits, offset_t begin, drop_totals dropped)
    : limits_(std::move(limits)), loose_from_(begin) {
  view_.kind = kind;
  view_.log_start = view_.end = view_.rolled_end = begin;
  view_.drops = dropped;
}

std::uint64_t memory_stream::cost_of_batch(std::uint64_t bytes) {
  return bytes + malloc_bytes + node_bytes + sizeof(batches::value_type);
}

std::uint64_t memory_stream::cost_of(const stream_share& share) {
  std::uint64_t cost = share.open.empty() ? 0 : cost_of_batch(share.open.size());
  for (const std::string& batch : share.batches) cost += cost_of_batch(batch.size());
  return cost;
}

bool memory_stream::held_batch::is_acked(offset_t offset) const {
  const offset_t bit = offset - base;
  return !acked.empty() && (acked[bit / offsets_per_word] >> (bit % offsets_per_word) & 1) != 0;
}

std::uint64_t memory_stream::held_batch::cost() const {
  return cost_of_batch(bytes.size()) + (acked.empty() ? 0 : acked.size() * sizeof acked[0] + malloc_bytes);
}

void memory_stream::take(stream_share& share, milliseconds lifetime) {
  if (!share.open.empty()) share.batches.push_back(share.open.finish());
  if (view_.kind == stream_kind::log) {
    if (const auto mark = due_mark(age_marks_, {view_.log_start, view_.end}, limits_.age_max, lifetime)) {
      age_marks_.push_back(*mark);
    }
    drop_heads_above(limits_.kept(limits_.bytes_max), cost_of(share));
  }
  for (std::string& batch : share.batches) append(std::move(batch));
  keep_records();
  for (const auto* const ranges : {&share.acked, &share.tied}) {
    for (const offset_range& range : *ranges) ack(range);
  }
  if (share.trim_to) trim(*share.trim_to);
  if (loose_bytes_ >= loose_bytes_max) {
    pack(batches_.lower_bound(loose_from_), batches_.end());
    loose_from_ = view_.end;
    loose_bytes_ = 0;
  }
}

void memory_stream::append(std::string bytes) {
  const batch_view batch = read_batch(bytes).value();
  TIDEGATE_EXPECT(batch.base_offset == view_.end);
  const offset_t last = batch.last_offset;
  const auto records = static_cast<std::uint32_t>(last + 1 - batch.base_offset);
  view_.newest_timestamp_ms = std::max(view_.newest_timestamp_ms, batch.newest_timestamp_ms);
  view_.end = view_.rolled_end = last + 1;
  loose_bytes_ += bytes.size();
  insert(last, {batch.base_offset, records, records, std::move(bytes)});
}

void memory_stream::insert(offset_t last, held_batch batch) {
  batch.bytes.shrink_to_fit();
  view_.bytes += batch.cost();
  batches_.emplace(last, std::move(batch));
}

memory_stream::batches::iterator memory_stream::drop(batches::iterator at) {
  view_.bytes -= at->second.cost();
  return batches_.erase(at);
}

void memory_stream::ack(offset_range range) {
  range = {std::max(range.begin, view_.log_start), std::min(range.end, view_.end)};
  if (range.empty()) return;
  for (auto at = batches_.lower_bound(range.begin); at != batches_.end() && at->second.base < range.end;) {
    const auto next = std::next(at);
    settle(at, {std::max(range.begin, at->second.base), std::min(range.end, at->first + 1)});
    at = next;
  }
  skip_acked();
}

// Rewrites a batch when half of it is acknowledged, so that one message that stays does not keep the others.
void memory_stream::settle(batches::iterator at, offset_range range) {
  held_batch& batch = at->second;
  if (range == offset_range{batch.base, at->first + 1}) {
    drop(at);
    return;
  }
  view_.bytes -= batch.cost();
  batch.acked.resize((at->first - batch.base) / offsets_per_word + 1);
  view_.bytes += batch.cost();
  for (offset_t offset = range.begin; offset < range.end; ++offset) {
    if (batch.is_acked(offset)) continue;
    const offset_t bit = offset - batch.base;
    batch.acked[bit / offsets_per_word] |= std::uint64_t{1} << (bit % offsets_per_word);
    --batch.live;
  }
  if (batch.live == 0) {
    drop(at);
  } else if (batch.live <= batch.records / 2) {
    pack(at, std::next(at));
  }
}

void memory_stream::trim(offset_t log_start) {
  if (log_start <= view_.log_start) return;
  view_.log_start = std::min(log_start, view_.end);
  while (!batches_.empty() && batches_.begin()->first < view_.log_start) drop(batches_.begin());
  while (!age_marks_.empty() && age_marks_.front().offset <= view_.log_start) age_marks_.pop_front();
  skip_acked();
}

// Queues: moves the log start over acknowledged messages.
void memory_stream::skip_acked() {
  if (batches_.empty()) {
    view_.log_start = view_.end;
    return;
  }
  const held_batch& head = batches_.begin()->second;
  view_.log_start = std::max(view_.log_start, head.base);
  while (head.is_acked(view_.log_start)) ++view_.log_start;
}

// Packs live records into as few batches as possible. Large batches without dead records, and compressed ones, stay as
// they are.
void memory_stream::pack(batches::iterator from, batches::iterator to) {
  batches loose;
  while (from != to) {
    view_.bytes -= from->second.cost();
    loose.insert(loose.end(), batches_.extract(from++));
  }
  batch_builder merged;
  const auto close = [&] {
    if (merged.empty()) return;
    const offset_t base = merged.base_offset(), last = merged.last_offset();
    const std::uint32_t count = merged.count();
    insert(last, {base, count, count, merged.finish()});
  };
  for (auto& [last, batch] : loose) {
    const batch_view view = read_batch(batch.bytes).value();
    if (view.compressed() || (batch.live == batch.records && !is_mergeable(view))) {
      close();
      insert(last, std::move(batch));
      continue;
    }
    record_reader records(view);
    for (raw_record record; records.next(record);) {
      if (record.offset < view_.log_start || batch.is_acked(record.offset)) continue;
      if (merged.size() + record.size_bound() > packed_batch_bytes) close();
      merged.add(record);
    }
  }
  close();
}

void memory_stream::scan(offset_t from, const std::function<bool(const batch_view&)>& take) const {
  for (auto at = batches_.lower_bound(std::max(from, view_.log_start)); at != batches_.end(); ++at) {
    if (!take(read_batch(at->second.bytes).value())) return;
  }
}

// ------------------------------------------------------------------------------------------------ retention

void memory_stream::set_cursor(const std::string& group, offset_t offset) {
  cursors_[group] = offset;
  if (limits_.overflow != overflow::reject) return;
  drop_heads_above(limits_.kept(limits_.bytes_max), 0);
  keep_records();
}

void memory_stream::expire(milliseconds lifetime) {
  if (view_.kind != stream_kind::log) return;
  if (const auto mark = due_mark(age_marks_, {view_.log_start, view_.end}, limits_.age_max, lifetime)) {
    age_marks_.push_back(*mark);
  }
  drop_below(expired_before(age_marks_, limits_.age_max, lifetime));
  drop_heads_above(limits_.kept(limits_.bytes_max), 0);
  keep_records();
}

bool memory_stream::gives_way(bool also_unread) const {
  if (view_.kind != stream_kind::log || batches_.empty()) return false;
  if (limits_.overflow == overflow::drop_oldest && (also_unread || limits_.protect.empty())) return true;
  return head_end() <= read_by_protected();
}

std::uint64_t memory_stream::gives_way_bytes() const {
  if (view_.kind != stream_kind::log) return 0;
  if (limits_.overflow == overflow::drop_oldest) return view_.bytes;
  const offset_t read = read_by_protected();
  std::uint64_t bytes = 0;
  for (auto at = batches_.begin(); at != batches_.end() && at->first < read; ++at) {
    bytes += at->second.cost();
  }
  return bytes;
}

void memory_stream::give_way() { drop_below(head_end()); }

offset_t memory_stream::head_end() const { return batches_.empty() ? view_.end : batches_.begin()->first + 1; }

// Returns the offset up to which every protected group has read; the log start if no group is protected.
offset_t memory_stream::read_by_protected() const {
  offset_t read = limits_.protect.empty() ? view_.log_start : view_.end;
  for (const std::string& group : limits_.protect) {
    const auto slowest = slowest_group(cursors_, {}, group, [](offset_t offset) { return offset; });
    read = std::min(read, slowest == cursors_.end() ? offset_t{0} : slowest->second);
  }
  return std::max(read, view_.log_start);
}

void memory_stream::drop_heads_above(std::uint64_t bytes_max, std::uint64_t incoming) {
  if (view_.kind != stream_kind::log || limits_.bytes_max == 0) return;
  const bool rejects = limits_.overflow == overflow::reject;
  while (!batches_.empty() && view_.bytes + incoming > bytes_max) {
    if (rejects && head_end() > read_by_protected()) return;
    drop_below(head_end());
  }
}

// Drops the oldest records above the bound in records, exact to the record. Called after new records are added.
void memory_stream::keep_records() {
  const std::uint64_t records_max = limits_.kept(limits_.records_max);
  if (view_.kind != stream_kind::log || records_max == 0 || view_.end - view_.log_start <= records_max) return;
  offset_t keep_from = view_.end - records_max;
  if (limits_.overflow == overflow::reject) keep_from = std::min(keep_from, read_by_protected());
  drop_below(keep_from);
}

void memory_stream::drop_below(offset_t offset) {
  if (offset <= view_.log_start) return;
  const offset_t from = view_.log_start, read = read_by_protected();
  trim(offset);
  count_drops(view_.log_start - from, view_.log_start - std::clamp(read, from, view_.log_start));
}

void memory_stream::count_drops(std::uint64_t records, std::uint64_t unread) {
  view_.drops.records += records;
  view_.drops.unread += unread;
}

}  // namespace tidegate::store
