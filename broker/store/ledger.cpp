#include "broker/store/ledger.hpp"

#include <algorithm>

namespace tidegate::store {
namespace {

// An age bound is kept to this fine a part of itself: a log has about so many marks.
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

void held_chunks::give_up_first(std::uint64_t first_bytes, std::optional<offset_t> next_last) {
  given_up_bytes += std::min(first_bytes, kept_bytes());
  given_up_end = first_last.value() + 1;
  first_last = next_last;
}

void held_chunks::gone(offset_t last, std::uint64_t gone_bytes) {
  bytes -= std::min(gone_bytes, bytes);
  if (last < given_up_end) given_up_bytes -= std::min(gone_bytes, given_up_bytes);
}

void held_chunks::set_first(std::optional<offset_t> last) {
  if (!last) bytes = given_up_bytes = 0;
  if (last && *last < given_up_end) return;  // chunks that were not given up come after it
  first_last = last;
  given_up_bytes = 0;
}

void journal_part::add(const segment& segment) {
  segments.push_back(segment);
  bytes += segment.size;
}

void journal_part::erase_below(offset_t log_start) {
  while (!segments.empty() && segments.front().last < log_start) {
    bytes -= segments.front().size;
    segments.pop_front();
  }
}

stream_state stream_ledger::state() const {
  return {.kind = kind,
          .log_start = log_start,
          .end = next,
          .rolled_end = recent.rolled_end,
          .covered_end = chunks.covered_end,
          .head_chunk = chunks.first_last,
          .newest_timestamp_ms = newest_timestamp_ms,
          .bytes = bytes(),
          .drops = dropped};
}

checkpoint stream_ledger::as_checkpoint(commit_number commit) const {
  return {.kind = kind,
          .log_start = log_start,
          .next_offset = next,
          .newest_timestamp_ms = newest_timestamp_ms,
          .chunk_bytes = chunks.bytes,
          .commit = commit,
          .maybe_delivered_before = maybe_delivered_before,
          .held_bytes = held_bytes,
          .dropped = dropped,
          .covered_end = chunks.covered_end,
          .times = chunks.times.all(),
          .age_marks = {age_marks.begin(), age_marks.end()},
          .in_memory = in_memory};
}

void stream_ledger::count_bytes(std::uint64_t appended, std::uint64_t acked) {
  held_bytes += appended;
  held_bytes = log_start == next ? 0 : held_bytes - std::min(held_bytes, acked);
}

void stream_ledger::add_segment(const segment& segment) {
  recent.add(segment);
  next = segment.last + 1;
  newest_timestamp_ms = std::max(newest_timestamp_ms, segment.newest_timestamp_ms);
}

void stream_ledger::ack(offset_range range) {
  range.begin = std::max(range.begin, log_start);
  range.end = std::min(range.end, next);
  if (range.empty()) return;
  if (range.begin == log_start) {  // acknowledged in order, as usual: only the log start has to be kept
    acked_since_checkpoint += range.size();
    return trim_to(range.end);
  }
  acked_since_checkpoint += marks.use().ack(range);
}

void stream_ledger::set_deliveries(offset_t offset, std::uint32_t count) {
  if (is_live(offset)) marks.use().set_deliveries(offset, count);
}

std::uint64_t stream_ledger::dead_bytes() const {
  if (recent.rolled_end <= log_start) return 0;
  const std::uint64_t acked = marks->acked.size(), dead = std::min(acked_since_checkpoint, acked);
  const std::uint64_t span = recent.rolled_end - log_start, records = span - std::min(acked - dead, span - 1);
  return chunks.bytes / records * dead;
}

void stream_ledger::trim_to(offset_t offset) {
  if (offset <= log_start) return;
  if (const auto settled = marks->acked.range_at(offset)) offset = settled->end;
  log_start = std::min(offset, next);
  if (queue_marks* const marked = marks.used()) marked->erase_below(log_start);
  chunks.times.erase_below(log_start);
  while (!age_marks.empty() && age_marks.front().offset <= log_start) age_marks.pop_front();
  recent.erase_below(log_start);
  if (recent.segments.empty()) recent.rolled_end = next;
}

}  // namespace tidegate::store
