#include "broker/store/writer.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "broker/base/bytes.hpp"
#include "broker/base/log.hpp"
#include "broker/store/retention.hpp"
#include "broker/store/rows.hpp"

namespace tidegate::store {
namespace {

// Bytes of one stream in the journal at which they move into chunks. Also the number of batches, because many small
// commits take a block of the ring each, and memory.
constexpr std::uint64_t due_bytes = 1 << 20;
constexpr std::size_t due_batches = 1'024;

// Dead chunks are freed with the next step or, if this much was written since the last one, in a step of their own.
constexpr std::uint64_t bytes_between_steps = 1 << 20;

// Most bytes freed by one step while rows are single pages, and while there is no room for records. LMDB lists the
// freed pages' numbers in one value: 509 fit a page. One chunk, and the pages of the tables, come in addition.
constexpr std::uint64_t freed_bytes_page_by_page = 800 * 1024;
constexpr std::uint64_t freed_bytes_without_room = 256 * 1024;

constexpr std::uint64_t relieved_bytes_max = 4ull << 20;

}  // namespace

writer::writer(lmdb::env& env, const tables& tables, ring& journal, books books, writer_options options)
    : env_(env),
      tables_(tables),
      journal_(journal),
      books_(std::move(books)),
      options_(options),
      pages_(env.pages()),
      snapshot_(lmdb::txn(env, lmdb::access::read).number()) {
  for (auto& [id, ledger] : books_.streams) {
    note_due(id, ledger);
    ledger.recent.reported_rolled_end = ledger.recent.rolled_end;
  }
}

commit_result writer::apply(commit_group& group) {
  if (page_by_page_left_ > 0 && --page_by_page_left_ == 0) row_bytes_ = row_bytes;
  journal_.release();
  bool is_refused = group.appends() && !has_room_for(group);
  if (is_refused) group.drop_appends();
  while (true) {
    try {
      commit_result result = attempt(group);
      result.appends_stored = !is_refused;
      return result;
    } catch (const lmdb::map_full&) {
      read_books_again();
    }
    // Much may be free, page by page. Only a commit that goes into the tables at once gets here.
    if (shorten_rows()) continue;
    if (!group.appends()) {
      throw storage_failure(
          "the store's map is full to the last page, even for acknowledgements: raise store.bytes_max and start again");
    }
    group.drop_appends();
    is_refused = true;
  }
}

// A blob in the ring is a promise: the tables must have room for everything that only the ring has.
bool writer::has_room_for(const commit_group& group) const {
  if (options_.refuses_records && options_.refuses_records()) return false;
  lmdb::page_use with_it = pages();
  with_it.used_pages += group.bytes() / with_it.page_bytes;
  return with_it.used_share() <= store_none_above;
}

lmdb::page_use writer::pages() const {
  lmdb::page_use pages = pages_;
  pages.used_pages += (books_.pledged_bytes + pages.page_bytes - 1) / pages.page_bytes;
  return pages;
}

// Returns false if the rows were short already.
bool writer::shorten_rows() {
  page_by_page_left_ = commits_page_by_page;
  return std::exchange(row_bytes_, row_bytes_on_a_page) != row_bytes_on_a_page;
}

// After an aborted transaction, memory is ahead of the files. State that is in memory only is kept.
void writer::read_books_again() {
  auto old = std::exchange(books_, read_books(env_, tables_, journal_));
  const auto& before = old.streams;
  const auto is_gone = [&](stream_id id) { return !books_.streams.contains(id); };
  std::erase_if(old.streams_to_thin, is_gone);
  std::erase_if(old.over_bound, is_gone);
  books_.streams_to_thin.merge(old.streams_to_thin);
  books_.over_bound.merge(old.over_bound);
  for (auto& [id, ledger] : books_.streams) {
    note_due(id, ledger);
    const auto known = before.find(id);
    if (known == before.end()) continue;
    ledger.limits = known->second.limits;
    ledger.recent.reported_rolled_end = known->second.recent.reported_rolled_end;
    if (ledger.maybe_delivered_before == known->second.maybe_delivered_before) continue;
    ledger.maybe_delivered_before = known->second.maybe_delivered_before;
    mark_dirty(books_, id, ledger, books_.last_commit);
  }
}

commit_result writer::attempt(commit_group& group) {
  bytes_written_ = 0;
  if (group.contents().time.lifetime >= books_.time.lifetime) books_.time = group.contents().time;
  commit now(env_, books_, group.bytes());
  const bool is_written = make(group, now);
  now.end_reading();
  if (is_written) {
    write(now);
  } else {
    --books_.last_commit;
  }
  keep_up(now, !group.has_operations());
  return result_of(now, is_written);
}

// Applies the group to memory and to the blob. Returns false if nothing changed: retention by age runs every few
// seconds and mostly finds nothing, which must not cost flash.
bool writer::make(commit_group& group, commit& now) {
  for (const definition_change& change : group.contents().definitions) {
    take_fact(fact_name(fact_space::definition, change.key), change.value, now);
  }
  for (const stream_change& change : group.contents().stream_changes) change_stream(change, now);
  for (const loss_change& loss : group.contents().losses) now.lose(loss.record);
  retention retention(tables_, books_, now);
  if (group.contents().expires) retention.expire();
  retention.keep_over_bound();
  retention.relieve(pages(), relieved_bytes_max);
  repacks_ = std::move(group.contents().repacks);
  take_facts(group, now);
  for (stream_share& share : group.contents().shares) take_share(share, now);
  if (!group.has_operations() && now.is_empty()) return false;
  if (group.contents().flash_bytes) {
    take_fact(fact_name(fact_space::store, meta_flash_bytes), encode_flash_bytes(*group.contents().flash_bytes), now);
  }
  now.tell_losses();
  return true;
}

void writer::change_stream(const stream_change& change, commit& now) {
  const auto found = books_.streams.find(change.stream);
  const bool is_there = found != books_.streams.end();
  switch (change.change) {
    case stream_change::what::create:
      now.blob().created(change.stream, change.kind, change.in_memory);
      add_stream(books_, change.stream, change.kind, change.in_memory, now.number());
      books_.streams.at(change.stream).limits = change.limits;
      now.touch(change.stream);
      if (!change.in_memory) return;
      [[fallthrough]];
    case stream_change::what::reserve: {
      const auto stream = books_.streams.find(change.stream);
      if (stream == books_.streams.end()) return;
      now.blob().reserved(change.stream, change.reserved_end, change.dropped);
      reserve_offsets(stream->second, change.reserved_end, change.dropped);
      mark_dirty(books_, change.stream, stream->second, now.number());
      now.touch(change.stream);
      return;
    }
    case stream_change::what::limit:
      if (is_there) found->second.limits = change.limits;
      return;
    case stream_change::what::drop:
      if (!is_there) return;
      now.blob().dropped(change.stream);
      now.dropped(change.stream);
      // A chunk without batches counts no bytes, but has a row to free.
      if (found->second.chunks.first_last || found->second.chunks.bytes > 0) books_.orphans.insert(change.stream);
      drop_stream(books_, change.stream, now.number());
      return;
  }
}

void writer::take_facts(const commit_group& group, commit& now) {
  for (const cursor_change& change : group.contents().cursors) {
    const auto found = books_.streams.find(change.stream);
    if (found == books_.streams.end()) continue;
    take_fact(cursor_key(change.stream, change.group), encode(change.state), now);
    if (found->second.limits.overflow == overflow::reject) {
      retention(tables_, books_, now).let_go_of_read(change.stream, found->second);
    }
  }
  for (const auto& [producer, state] : group.contents().producers) {
    take_fact(producer_key(producer), state ? std::optional(encode(*state)) : std::nullopt, now);
  }
  for (const fact_change& change : group.contents().facts) {
    const bool is_without = is_of_stream(change.name) && !books_.streams.contains(stream_of_key(change.name));
    if (!is_without) take_fact(change.name, change.value, now);
  }
}

void writer::take_fact(const std::string& name, std::optional<std::string> value, commit& now) {
  now.blob().fact(name, value);
  set_fact(books_, name, std::move(value), now.number());
}

void writer::take_share(stream_share& share, commit& now) {
  const auto found = books_.streams.find(share.stream);
  if (found == books_.streams.end()) return;  // deleted meanwhile
  stream_ledger& ledger = found->second;
  now.touch(share.stream);
  if (!share.open.empty()) share.batches.push_back(share.open.finish());
  mark_dirty(books_, share.stream, ledger, now.number());
  retention retention(tables_, books_, now);
  retention.mark_age(share.stream, ledger);
  retention.keep_bytes(share.stream, ledger, share.append_bytes());
  journal_share(share, ledger, now);
  const offset_t before = ledger.log_start;
  retention.keep_count(share.stream, ledger);
  now.tell_trim(share.stream, ledger, before);
  take_marks(share, ledger, now);
}

void writer::journal_share(stream_share& share, stream_ledger& ledger, commit& now) {
  for (const std::string& bytes : share.batches) {
    const batch_view batch = read_batch(bytes).value();
    TIDEGATE_EXPECT(batch.base_offset == ledger.next);
    const segment segment = segment_of(batch, now.number(), now.blob().append(share.stream, bytes));
    ledger.add_segment(segment);
    now.added(share.stream, segment);
  }
}

// Called after the share's records are added: a queue may be purged in the commit that fills it.
void writer::take_marks(stream_share& share, stream_ledger& ledger, commit& now) {
  for (const auto* const ranges : {&share.acked, &share.tied}) {
    now.blob().acked(share.stream, *ranges);
    for (const offset_range& range : *ranges) ledger.ack(range);
  }
  now.blob().deliveries(share.stream, share.deliveries);
  for (const auto& [offset, count] : share.deliveries) ledger.set_deliveries(offset, count);
  if (share.trim_to) {
    now.blob().trimmed(share.stream, *share.trim_to);
    ledger.trim_to(*share.trim_to);
  }
  const std::uint64_t acked_bytes = share.acked_bytes + share.tied_bytes;
  if (share.appended_bytes != acked_bytes) {
    ledger.count_bytes(share.appended_bytes, acked_bytes);
    now.blob().held(share.stream, ledger.held_bytes);
  }
  free_dead_chunks_later(books_, share.stream, ledger);
}

void writer::write(commit& now) {
  const std::size_t size = now.blob().size();
  // The last block is kept for a blob without entries, if everything else has to go into the tables.
  if (!journal_.has_room(size, 1)) return write_through_tables(now);
  journal_.append(now.blob().bytes());
  now.placed(journal_.position_of_last());
  bytes_written_ += journal_.bytes_of_last();
  for (const stream_id id : now.touched()) note_due(id, books_.streams.at(id));
}

// The records go into chunks, in a transaction of the tables. The rest of the commit goes into the ring and counts only
// if that transaction is there. If the rest is too long as well, everything goes into the tables.
void writer::write_through_tables(commit& now) {
  table_step step(env_, tables_, books_, journal_, bounds());
  std::set<stream_id> appended_to;
  for (const auto& [id, segment] : now.added_batches()) appended_to.insert(id);
  for (const stream_id id : appended_to) step.roll_up(id, &now.blob());
  std::string& blob = now.blob().bytes();
  const std::string whole = blob;
  now.blob().leave_records_to_tables();
  if (!journal_.has_room(blob.size(), 1)) {
    blob = whole;
    step.put_all(options_.loss_rows_max, &now.blob());
    now.blob().leave_all_to_tables();
  }
  if (!journal_.has_room(blob.size())) {
    throw storage_failure(
        "the journal is full, and the store's map has no room to empty it: raise store.bytes_max and start again");
  }
  bool is_appended = false;
  try {
    step.commit(journal_.generation(), [&] {
      journal_.append(blob);
      is_appended = true;
    });
  } catch (const lmdb::map_full&) {
    if (is_appended) journal_.take_back();
    throw;
  }
  bytes_written_ += journal_.bytes_of_last();
  take_note_of(step, now);
  for (const stream_id id : now.touched()) note_due(id, books_.streams.at(id));
}

void writer::note_due(stream_id id, stream_ledger& ledger) {
  count_pledge(books_, ledger);
  const bool is_due = ledger.recent.bytes >= std::min(due_bytes, journal_.capacity() / 8) ||
                      ledger.recent.segments.size() >= due_batches;
  if (is_due) books_.due.insert(id);
}

bool writer::has_chunks_to_free() const {
  return !books_.streams_to_free.empty() || !books_.streams_to_thin.empty() || !books_.orphans.empty();
}

bool writer::work_left() const { return !is_stuck_ && (has_chunks_to_free() || !books_.over_bound.empty()); }

step_bounds writer::bounds() const {
  step_bounds bounds;
  bounds.row_bytes = row_bytes_;
  if (row_bytes_ != row_bytes) bounds.freed_bytes = freed_bytes_page_by_page;
  return bounds;
}

bool writer::is_step_due(bool is_idle) const {
  if (!repacks_.empty() || !books_.due.empty() || journal_.used() > journal_.capacity() / 8 * 3) return true;
  if (!has_chunks_to_free()) return false;
  return is_idle || bytes_since_step_ >= bytes_between_steps || pages().used_share() > keep_below;
}

// From three eighths of the ring on, what needs the older half of the journal moves into the tables, a megabyte at each
// commit, so that what changes all the time is not written there at every commit. From half of the ring on the commit
// waits for this: then there is room for the longest blob, whatever is left of the lap.
void writer::keep_up(commit& now, bool is_idle) {
  bytes_since_step_ += bytes_written_;
  for (bool only_frees = false; is_step_due(is_idle) || only_frees;) {
    const auto left = [&] { return std::tuple(journal_.used(), books_.dirty_streams.size(), books_.pledged_bytes); };
    const auto before = left();
    try {
      step(now, only_frees);
      is_stuck_ = false;
    } catch (const lmdb::map_full&) {
      read_books_again();
      if (shorten_rows()) continue;
      // The next commit tries again. No commit is made for that alone: another process may be in the way.
      is_stuck_ = only_frees || !has_chunks_to_free();
      if (is_stuck_) return;
      only_frees = true;
      continue;
    }
    const bool is_pressed = journal_.used() > journal_.capacity() / 2;
    if (only_frees || !is_pressed || left() == before) return;
  }
}

void writer::step(commit& now, bool only_frees) {
  step_bounds within = bounds();
  if (only_frees) within.freed_bytes = freed_bytes_without_room;
  table_step step(env_, tables_, books_, journal_, within);
  step.erase_dropped();
  if (only_frees) {
    step.free_chunks();
  } else {
    for (const chunk_repack& repack : std::exchange(repacks_, {})) step.repack(repack);
    step.roll_up_due();
    const commit_number first = journal_.head().commit, last = books_.last_commit;
    if (journal_.used() > journal_.capacity() / 8 * 3) {
      const commit_number through = first + (last - first + 1) / 2;
      step.put_facts(through);
      step.put_losses(through, options_.loss_rows_max);
      step.roll_up_through(through);
    }
    step.free_chunks();
  }
  step.commit(journal_.generation());
  take_note_of(step, now);
}

void writer::take_note_of(const table_step& step, commit& now) {
  for (const stream_id id : step.touched()) {
    if (books_.streams.contains(id)) now.touch(id);
  }
  bytes_written_ += step.written();
  bytes_since_step_ = 0;
  snapshot_ = step.number();
  pages_ = env_.pages();
}

void writer::checkpoint_all(const std::vector<stream_change>& rows) {
  for (const stream_change& row : rows) {
    stream_ledger& ledger = books_.streams.at(row.stream);
    reserve_offsets(ledger, row.reserved_end, row.dropped);
    mark_dirty(books_, row.stream, ledger, books_.last_commit);
  }
  for (auto& [id, ledger] : books_.streams)
    ledger.recent.reported_rolled_end = ledger.next;  // there are no readers any more
  try {
    table_step step(env_, tables_, books_, journal_, bounds());
    step.put_all(options_.loss_rows_max);
    step.commit(journal_.generation());
  } catch (const lmdb::map_full&) {
    read_books_again();
    if (!shorten_rows()) throw;
    return checkpoint_all(rows);
  }
  journal_.release();
}

commit_result writer::result_of(commit& now, bool is_written) {
  commit_result result;
  result.commit = books_.last_commit;
  result.snapshot = snapshot_;
  result.work_left = work_left();
  auto batches = now.added_batches();
  std::stable_sort(batches.begin(), batches.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto touched = now.touched();
  result.streams.reserve(touched.size() + now.dropped_streams().size());
  auto added = batches.cbegin();
  for (const stream_id id : touched) {
    stream_ledger& ledger = books_.streams.at(id);
    if (ledger.in_memory) continue;  // memory_streams has their state
    ledger.recent.reported_rolled_end = ledger.recent.rolled_end;
    stream_update& update = result.streams.emplace_back(id, ledger.state());
    while (added != batches.cend() && added->first < id) ++added;
    for (; added != batches.cend() && added->first == id; ++added) update.added.push_back(added->second);
  }
  for (const stream_id id : now.dropped_streams()) {
    result.streams.emplace_back().stream = id;
    result.streams.back().dropped = true;
  }
  result.losses = now.losses();
  result.losses_since = books_.losses.dirty_since();
  result.journal_bytes = journal_.used();
  result.bytes_written = is_written || bytes_written_ > 0 ? std::max<std::uint64_t>(bytes_written_, 1) : 0;
  pages_ = env_.pages();  // another process's read may have ended and released what it pinned
  result.pages = pages();
  return result;
}

}  // namespace tidegate::store
