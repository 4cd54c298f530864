#include "broker/store/ledger.hpp"

#include <algorithm>

namespace tidegate::store {
namespace {

// An age bound is kept to so fine a part of itself: a log has about that many marks.
constexpr int marks_per_age = 32;

}  // namespace

std::optional<age_mark> due_mark(const line<age_mark>& marks, offset_range held, milliseconds age_max,
                                 milliseconds lifetime) {
  if (age_max.count() == 0) return std::nullopt;
  const offset_t marked = marks.empty() ? held.begin : marks.back().offset;
  if (held.end <= marked) return std::nullopt;
  if (!marks.empty() && lifetime - marks.back().lifetime < age_max / marks_per_age) return std::nullopt;
  return age_mark{lifetime, held.end};
}

offset_t expired_before(const line<age_mark>& marks, milliseconds age_max, milliseconds lifetime) {
  offset_t expired = 0;
  if (age_max.count() == 0) return expired;
  for (const age_mark& mark : marks) {
    if (mark.lifetime + age_max > lifetime) break;
    expired = mark.offset;
  }
  return expired;
}

segment segment_of(const batch_view& batch, commit_number commit, ring_position position) {
  return {.commit = commit,
          .first = batch.base_offset,
          .last = batch.last_offset,
          .newest_timestamp_ms = batch.newest_timestamp_ms,
          .position = position,
          .size = static_cast<std::uint32_t>(batch.bytes.size())};
}

stream_state stream_ledger::state() const {
  return {.kind = kind,
          .log_start = log_start,
          .end = next,
          .rolled_end = rolled_end,
          .covered_end = covered_end,
          .head_chunk = first_chunk_last,
          .newest_timestamp_ms = newest_timestamp_ms,
          .bytes = bytes(),
          .drops = dropped};
}

checkpoint stream_ledger::as_checkpoint(commit_number commit) const {
  return {.kind = kind,
          .log_start = log_start,
          .next_offset = next,
          .newest_timestamp_ms = newest_timestamp_ms,
          .chunk_bytes = chunk_bytes,
          .commit = commit,
          .maybe_delivered_before = maybe_delivered_before,
          .held_bytes = held_bytes,
          .dropped = dropped,
          .covered_end = covered_end,
          .times = times.all(),
          .age_marks = {age_marks.begin(), age_marks.end()},
          .in_memory = in_memory};
}

void stream_ledger::give_up_chunk(std::uint64_t bytes, std::optional<offset_t> next_last) {
  given_up_bytes += std::min(bytes, kept_chunk_bytes());
  given_up_end = first_chunk_last.value() + 1;
  first_chunk_last = next_last;
}

void stream_ledger::chunk_gone(offset_t last, std::uint64_t bytes) {
  chunk_bytes -= std::min(bytes, chunk_bytes);
  if (last < given_up_end) given_up_bytes -= std::min(bytes, given_up_bytes);
}

void stream_ledger::set_first_chunk(std::optional<offset_t> last) {
  if (!last) chunk_bytes = given_up_bytes = 0;
  if (last && *last < given_up_end) return;  // what was not given up comes behind it
  first_chunk_last = last;
  given_up_bytes = 0;
}

void stream_ledger::add_segment(const segment& segment) {
  recent.push_back(segment);
  recent_bytes += segment.size;
  next = segment.last + 1;
  newest_timestamp_ms = std::max(newest_timestamp_ms, segment.newest_timestamp_ms);
}

void stream_ledger::ack(offset_range range) {
  range.begin = std::max(range.begin, log_start);
  range.end = std::min(range.end, next);
  if (range.empty()) return;
  if (range.begin == log_start) {  // the usual way: nothing is to be kept in mind
    acked_since_checkpoint += range.size();
    return trim_to(range.end);
  }
  const std::uint64_t before = acked.size();
  acked.insert(range);
  acked_since_checkpoint += acked.size() - before;
  for (std::uint64_t block = range.begin / offsets_per_block; block <= (range.end - 1) / offsets_per_block; ++block) {
    dirty_blocks.insert(block);
    blocks_to_thin.insert({block, block + 1});
  }
  deliveries.erase(deliveries.lower_bound(range.begin), deliveries.lower_bound(range.end));
}

void stream_ledger::count_bytes(std::uint64_t appended, std::uint64_t acked) {
  held_bytes += appended;
  held_bytes = log_start == next ? 0 : held_bytes - std::min(held_bytes, acked);
}

void stream_ledger::set_deliveries(offset_t offset, std::uint32_t count) {
  if (!is_live(offset)) return;
  deliveries[offset] = std::min(count, deliveries_max);
  dirty_blocks.insert(offset / offsets_per_block);
}

offset_range stream_ledger::full_blocks(std::uint64_t number) const {
  const auto range = acked.range_at(number * offsets_per_block);
  if (!range || range->end < (number + 1) * offsets_per_block) return {number, number};
  return {(range->begin + offsets_per_block - 1) / offsets_per_block, range->end / offsets_per_block};
}

ack_block stream_ledger::block(std::uint64_t number) const {
  ack_block out;
  if (const offset_range full = full_blocks(number); !full.empty()) out.full_after = full.end - 1 - number;
  const offset_t base = number * offsets_per_block, end = base + offsets_per_block;
  for (auto range = acked.range_from(base); range && range->begin < end; range = acked.range_from(range->end)) {
    for (offset_t offset = std::max(range->begin, base); offset < std::min(range->end, end); ++offset) {
      const auto bit = offset - base;
      out.bits[bit / 8] = static_cast<char>(out.bits[bit / 8] | (1 << (bit % 8)));
    }
  }
  for (auto counted = deliveries.lower_bound(base); counted != deliveries.end() && counted->first < end; ++counted) {
    out.deliveries.emplace_back(static_cast<std::uint16_t>(counted->first - base), counted->second);
  }
  return out;
}

std::optional<std::uint64_t> stream_ledger::next_block(std::uint64_t number) const {
  const offset_t base = number * offsets_per_block;
  const auto range = acked.range_from(base);
  const auto counted = deliveries.lower_bound(base);
  std::optional<offset_t> first;
  if (range) first = std::max(range->begin, base);
  if (counted != deliveries.end()) first = std::min(first.value_or(counted->first), counted->first);
  if (!first) return std::nullopt;
  return *first / offsets_per_block;
}

std::uint64_t stream_ledger::dead_bytes() const {
  if (rolled_end <= log_start) return 0;
  const std::uint64_t dead = std::min(acked_since_checkpoint, acked.size()), dead_before = acked.size() - dead;
  const std::uint64_t span = rolled_end - log_start, records = span - std::min(dead_before, span - 1);
  return chunk_bytes / records * dead;
}

void stream_ledger::trim_to(offset_t offset) {
  if (offset <= log_start) return;
  if (const auto settled = acked.range_at(offset)) offset = settled->end;
  log_start = std::min(offset, next);
  acked.erase_below(log_start);
  deliveries.erase(deliveries.begin(), deliveries.lower_bound(log_start));
  times.erase_below(log_start);
  while (!age_marks.empty() && age_marks.front().offset <= log_start) age_marks.pop_front();
  const std::uint64_t floor = log_start / offsets_per_block;
  dirty_blocks.erase(dirty_blocks.begin(), dirty_blocks.lower_bound(floor));
  blocks_to_thin.erase_below(floor);
  while (!recent.empty() && recent.front().last < log_start) {
    recent_bytes -= recent.front().size;
    recent.pop_front();
  }
  if (recent.empty()) rolled_end = next;
}

}  // namespace tidegate::store
