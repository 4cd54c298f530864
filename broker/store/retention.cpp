#include "broker/store/retention.hpp"

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/store/chunk_rows.hpp"
#include "broker/store/protection.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {
namespace {

// Queues whose oldest message stays unsettled: about how many bytes later acknowledgements may leave dead in chunks
// before those are freed.
constexpr std::uint64_t dead_bytes_max = 1 << 20;

// Most bytes that one commit gives up if nothing new asks for the room: bounds the delay of those that wait for the
// commit.
constexpr std::uint64_t dropped_bytes_per_commit = 4ull << 20;

// Returns the committed offset of a fact; an erased one holds nothing back.
offset_t offset_of(const dirty_fact& fact) {
  return fact.value ? load_be<std::uint64_t>(fact.value->data()) : ~offset_t{0};
}

}  // namespace

void free_dead_chunks_later(books& books, stream_id id, const stream_ledger& ledger) {
  const bool has_given_up = ledger.chunks.given_up_bytes > 0;
  if (has_given_up || (ledger.chunks.first_last && *ledger.chunks.first_last < ledger.log_start)) {
    books.streams_to_free.insert(id);
  }
  if (ledger.dead_bytes() >= dead_bytes_max) books.streams_to_thin.insert(id);
}

void retention::keep_bytes(stream_id id, stream_ledger& ledger, std::uint64_t incoming) {
  const offset_t before = ledger.log_start;
  drop_excess(id, ledger, incoming);
  now_.tell_trim(id, ledger, before);
}

// Drops everything that the incoming bytes ask for. What a lowered bound asks for can take several commits.
void retention::drop_excess(stream_id id, stream_ledger& ledger, std::uint64_t incoming) {
  const stream_limits& limits = ledger.limits;
  if (ledger.kind != stream_kind::log || limits.bytes_max == 0) return;
  const bool rejects = limits.overflow == overflow::reject;
  const std::uint64_t bytes_max = limits.kept(limits.bytes_max);
  if (ledger.bytes() + incoming <= bytes_max) return;
  const offset_t read = rejects ? read_by_protected(id, ledger) : ledger.next;
  const std::uint64_t dropped_max = std::max(incoming + chunk_bytes_max, dropped_bytes_per_commit);
  drop_head_while(id, ledger, loss_reason::retention_bytes, [&](std::uint64_t dropped) {
    return ledger.bytes() + incoming > bytes_max && dropped <= dropped_max && head_end(ledger) <= read;
  });
}

void retention::let_go_of_read(stream_id id, stream_ledger& ledger) {
  const offset_t before = ledger.log_start;
  drop_excess(id, ledger, 0);
  keep_count(id, ledger);
  now_.tell_trim(id, ledger, before);
}

void retention::keep_count(stream_id id, stream_ledger& ledger) {
  const stream_limits& limits = ledger.limits;
  if (ledger.kind != stream_kind::log || limits.records_max == 0) return;
  const bool rejects = limits.overflow == overflow::reject;
  const std::uint64_t records_max = limits.kept(limits.records_max);
  if (ledger.next - ledger.log_start <= records_max) return;
  offset_t keep_from = ledger.next - records_max;
  if (rejects) keep_from = std::min(keep_from, read_by_protected(id, ledger));
  drop_below(id, ledger, keep_from, loss_reason::retention_records);
}

void retention::mark_age(stream_id id, stream_ledger& ledger) {
  if (ledger.kind != stream_kind::log) return;
  const auto mark =
      due_mark(ledger.age_marks, {ledger.log_start, ledger.next}, ledger.limits.age_max, books_.time.lifetime);
  if (!mark) return;
  ledger.age_marks.push_back(*mark);
  mark_dirty(books_, id, ledger, now_.number());
  now_.touch(id);
  now_.blob().age_marked(id, *mark);
}

void retention::expire() {
  for (auto& [id, ledger] : books_.streams) {
    if (ledger.kind != stream_kind::log) continue;
    const offset_t before = ledger.log_start;
    mark_age(id, ledger);
    drop_old(id, ledger);
    drop_excess(id, ledger, 0);
    keep_count(id, ledger);
    now_.tell_trim(id, ledger, before);
  }
}

void retention::keep_over_bound() {
  for (const stream_id id : std::exchange(books_.over_bound, {})) {
    const auto stream = books_.streams.find(id);
    if (stream != books_.streams.end()) keep_bytes(id, stream->second, 0);
  }
}

void retention::drop_old(stream_id id, stream_ledger& ledger) {
  const offset_t keep_from = expired_before(ledger.age_marks, ledger.limits.age_max, books_.time.lifetime);
  drop_below(id, ledger, keep_from, loss_reason::retention_age);
}

void retention::relieve(const lmdb::page_use& pages, std::uint64_t bytes_max) {
  const double excess = pages.used_share() - keep_below;
  // Dropped chunks become room as soon as they are freed.
  const bool is_more_to_free = !books_.streams_to_free.empty() || !books_.orphans.empty();
  if (excess <= 0 || is_more_to_free) return;
  std::uint64_t bytes = static_cast<std::uint64_t>(excess * static_cast<double>(pages.map_pages * pages.page_bytes));
  bytes = std::min(bytes + chunk_bytes_max, bytes_max);
  std::uint64_t dropped_in_all = 0;
  for (const bool also_unread : {false, true}) {
    while (dropped_in_all < bytes) {
      const auto id = largest_droppable(also_unread);
      if (!id) break;
      stream_ledger& ledger = books_.streams.at(*id);
      const offset_t before = ledger.log_start;
      const std::uint64_t held = ledger.bytes();
      drop_head_while(*id, ledger, loss_reason::store_room, [](std::uint64_t dropped) { return dropped == 0; });
      dropped_in_all += held - ledger.bytes();
      now_.tell_trim(*id, ledger, before);
    }
  }
}

// Counts chunks only: batches in the journal are bounded with the journal, and dropping them frees nothing yet.
std::optional<stream_id> retention::largest_droppable(bool also_unread) {
  std::optional<stream_id> largest;
  std::uint64_t bytes = 0;
  for (const auto& [id, ledger] : books_.streams) {
    if (ledger.kind != stream_kind::log || !ledger.chunks.first_last || ledger.chunks.kept_bytes() <= bytes) continue;
    const bool is_free = ledger.limits.protect.empty() && ledger.limits.overflow == overflow::drop_oldest;
    const bool may_go = is_free || (also_unread && ledger.limits.overflow == overflow::drop_oldest) ||
                        head_end(ledger) <= read_by_protected(id, ledger);
    if (!may_go) continue;
    largest = id;
    bytes = ledger.chunks.kept_bytes();
  }
  return largest;
}

// Returns one past the last record of the oldest chunk or, without one, of the oldest batch in the journal.
offset_t retention::head_end(const stream_ledger& ledger) {
  if (ledger.chunks.first_last) return *ledger.chunks.first_last + 1;
  return ledger.recent.segments.empty() ? ledger.next : ledger.recent.segments.front().last + 1;
}

// Returns the offset up to which every protected group has read; the log start if no group is protected.
offset_t retention::read_by_protected(stream_id id, const stream_ledger& ledger) {
  offset_t read = ledger.limits.protect.empty() ? ledger.log_start : ledger.next;
  for (const std::string& name : ledger.limits.protect) read = std::min(read, read_by(id, name));
  return std::max(read, ledger.log_start);
}

// A row of the table counts only if the journal has nothing newer.
offset_t retention::read_by(stream_id id, const std::string& name) {
  std::optional<offset_t> lowest;
  const auto newer = slowest_group(books_.dirty_facts, cursor_key(id, ""), name, offset_of);
  if (newer != books_.dirty_facts.end() && newer->second.value) lowest = offset_of(newer->second);
  const auto take = [&](const lmdb::entry& row) {
    const found_fact fact = fact_in(row.key, unsealed_or_fail(tables_.state, row));
    if (books_.dirty_facts.contains(fact.name)) return;
    const offset_t offset = decode_cursor(fact.value).offset;
    lowest = std::min(lowest.value_or(offset), offset);
  };
  std::string key = cursor_key(id, name);
  lmdb::cursor rows(now_.reading(), tables_.state);
  auto row = rows.seek(key);
  if (row && row->key == key) take(*row);
  key.push_back('/');
  for (row = rows.seek(key); row && row->key.starts_with(key); row = rows.next()) take(*row);
  return lowest.value_or(0);
}

// Drops the oldest chunks or batches, one by one, while there is one and the condition holds. The condition gets the
// bytes dropped so far.
void retention::drop_head_while(stream_id id, stream_ledger& ledger, loss_reason reason,
                                const std::function<bool(std::uint64_t dropped)>& goes_on) {
  const offset_t from = ledger.log_start, read = read_by_protected(id, ledger);
  const std::uint64_t before = ledger.bytes();
  while (goes_on(before - ledger.bytes()) && drop_head(id, ledger)) {
  }
  note_drop(id, {from, ledger.log_start}, read, before - ledger.bytes(), reason);
}

// Drops the oldest chunk or, without one, the oldest batch in the journal. Returns false if nothing is left.
bool retention::drop_head(stream_id id, stream_ledger& ledger) {
  if (!ledger.chunks.first_last) {
    if (ledger.recent.segments.empty()) return false;
    ledger.trim_to(ledger.recent.segments.front().last + 1);
    return true;
  }
  chunk_cursor chunks(now_.reading(), tables_.chunk);
  const offset_t last = *ledger.chunks.first_last;
  chunks.seek(id, last);
  const bool is_there = chunks.last_offset_in(id) == last;
  const std::uint64_t bytes = is_there ? chunks.bytes() : 0;
  if (is_there) chunks.next();
  ledger.chunks.give_up_first(bytes, chunks.last_offset_in(id));
  ledger.trim_to(last + 1);
  books_.streams_to_free.insert(id);
  return true;
}

// The log start moves at once. Chunks below it are freed a few megabytes a step.
void retention::drop_below(stream_id id, stream_ledger& ledger, offset_t offset, loss_reason reason) {
  if (offset <= ledger.log_start || ledger.log_start == ledger.next) return;
  const offset_t from = ledger.log_start, read = read_by_protected(id, ledger);
  const std::uint64_t bytes = ledger.bytes() / (ledger.next - from) * (std::min(offset, ledger.next) - from);
  ledger.trim_to(offset);
  free_dead_chunks_later(books_, id, ledger);
  note_drop(id, {from, ledger.log_start}, read, bytes, reason);
}

void retention::note_drop(stream_id id, offset_range dropped, offset_t read, std::uint64_t bytes, loss_reason reason) {
  if (dropped.empty()) return;
  loss_record record{reason, id, {}, dropped.begin, dropped.end, dropped.size()};
  // If no group is protected, nothing is known to be read.
  record.unread = dropped.end - std::clamp(read, dropped.begin, dropped.end);
  record.bytes = bytes;
  now_.lose(std::move(record));
}

}  // namespace tidegate::store
