#include "bridge/forwarder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bridge/failpoint.hpp"
#include "broker/base/log.hpp"

namespace tidegate::bridge {
namespace {

constexpr milliseconds unusable_answer_pause{1'000};
constexpr milliseconds refused_time_pause{10'000};

std::size_t size_of(const record_view& record) { return record.key.size() + record.body.size(); }

}  // namespace

std::string forwarder_settings::title() const { return fmt::format("route {} {}/{}", route, topic, partition); }

forwarder::forwarder(forwarder_settings settings, source& source, sink& sink, const clock& clock)
    : settings_(std::move(settings)), source_(source), sink_(sink), clock_(clock), times_(settings_.times, clock) {}

// ------------------------------------------------------------------------------------------------- from the source

void forwarder::source_up(const identity& log) {
  if (cursor_.knows_log() && cursor_.log() != log) leave_log();
  const bool was_up = source_state_.log.has_value();
  source_state_.loaded = source_state_.loaded && was_up;  // a source that stayed up has no other cursor
  source_state_.log = log;
  source_state_.gone = false;
}

void forwarder::source_gone() {
  if (cursor_.knows_log()) leave_log();
  source_lost();
  source_state_.gone = true;
}

void forwarder::leave_log() {
  cursor_.forget_log();
  source_state_.loaded = false;
  const offset_range rest = place_.unforwarded();
  note_lost(rest);
  if (!rest.empty()) {
    log::error("{}: the log is another one now; offsets {} to {} of the old one were not forwarded", settings_.title(),
               rest.begin, rest.end - 1);
  }
  rewind();
  place_.suspects_before = 0;
}

void forwarder::note_lost(offset_range range) {
  if (range.empty()) return;
  progress_.lost_records += range.size();
  if (progress_.lost_ranges.size() == lost_ranges_kept) progress_.lost_ranges.erase(progress_.lost_ranges.begin());
  progress_.lost_ranges.push_back(range);
}

void forwarder::source_lost() {
  source_state_.log.reset();
  source_state_.loading = false;
  cursor_.source_lost();
  fetch_.abandon();
  lone_.set_copy_asked(false);
}

void forwarder::loaded(const std::optional<stored_cursor>& stored) {
  source_state_.loading = false;
  if (!source_state_.log) return;
  source_state_.loaded = true;
  if (!cursor_.knows_log()) {
    cursor_.follow(*source_state_.log);
    return adopt(stored);
  }
  // The state in memory is at least as new, and records that are under way at the sink stay there.
  const offset_t before = cursor_.stored().offset;
  const kept_cursor::change change = cursor_.compare(stored);
  if (change == kept_cursor::change::none) return;
  sink_state_.needs_fresh = sink_state_.open;
  if (change == kept_cursor::change::set_back) return begin_next_life(0);
  log::warning("{}: its cursor was moved by somebody else, from {} to {}", settings_.title(), before,
               stored ? stored->offset : 0);
  adopt(stored);
}

void forwarder::adopt(const std::optional<stored_cursor>& stored) {
  cursor_.adopt(stored, settings_.title());
  go_to_cursor();
}

void forwarder::go_to_cursor() {
  const cursor& start = cursor_.stored();
  place_ = {start.offset, start.offset, start.offset};
  search_.set_start(start.look_from);
  rewind();
}

void forwarder::stored() {
  if (cursor_.end_store() && cursor_.stored().open()) failpoint::pass("after_intent");
}

void forwarder::fetched(std::uint64_t ticket, fetch_answer answer) {
  if (!fetch_.end(ticket)) return;
  place_.high_watermark = answer.high_watermark;
  if (answer.out_of_range) return skip_lost(answer);
  cursor_.found_records();
  fetch_.keep(std::move(answer.batches));
}

void forwarder::watermark(offset_t high_watermark) {
  place_.high_watermark = std::max(place_.high_watermark, high_watermark);
}

// Retention passed the position, or the log ends before it. The answer says where the log can be read.
void forwarder::skip_lost(const fetch_answer& answer) {
  if (place_.next_send > answer.high_watermark)
    return leave_overtaken_position(answer.log_start, answer.high_watermark);
  const offset_t to = std::max(place_.next_send, answer.log_start);
  if (to > place_.next_send && !cursor_.began_at_start()) {
    note_lost({place_.next_send, to});
    log::error("{}: offsets {} to {} were dropped by retention before they were forwarded", settings_.title(),
               place_.next_send, to - 1);
  }
  place_.next_send = to;
  if (window_.empty()) place_.confirmed = to;
}

// A position after the end of the log that was set by hand: continues at the end. Otherwise the store was restored from
// an older copy.
void forwarder::leave_overtaken_position(offset_t log_start, offset_t end) {
  fetch_.pause_until(clock_.monotonic() + unusable_answer_pause);
  if (!cursor_.placed_by_hand()) {
    sink_state_.needs_fresh = sink_state_.open;
    return begin_next_life(log_start);
  }
  log::warning("{}: was put at offset {}, behind the log's end; goes on from there, {}", settings_.title(),
               place_.next_send, end);
  cursor_.start_at(end);
  go_to_cursor();
}

void forwarder::begin_next_life(offset_t log_start) {
  cursor_.start_next_life(log_start);
  log::error(
      "{}: the store was set back to an older state, from before offset {}; all that it holds is forwarded anew, as "
      "incarnation {}",
      settings_.title(), place_.confirmed, cursor_.sent_identity().incarnation);
  go_to_cursor();
}

void forwarder::dead_lettered(const std::optional<std::string>& failure) {
  if (lone_.refusal() == nullptr) return;
  const offset_t offset = lone_.batch().base_offset;
  log::error("{}: record {} was refused for good ({}), {}", settings_.title(), offset, *lone_.refusal(),
             failure ? "and could not be kept: " + *failure : "kept in " + settings_.topic + ".dlt");
  ++progress_.refused_records;
  lone_.reset();
  settle(offset, {});
}

// --------------------------------------------------------------------------------------------------- from the sink

void forwarder::sink_up(pace pace) {
  sink_state_.open = true;
  sink_state_.at_pace = pace;
}

void forwarder::sink_lost() {
  sink_state_.open = sink_state_.needs_fresh = false;
  rewind();
}

// Goes back to the last confirmed record. Records that were sent after it are searched for at the destination before
// anything is sent again.
void forwarder::rewind() {
  search_.reset();
  place_.suspects_before = std::max(place_.suspects_before, place_.next_send);
  place_.next_send = place_.confirmed;
  window_.clear();
  fetch_.reset();
  lone_.reset();
}

void forwarder::request_recovery() {
  if (!sink_state_.open || sink_state_.needs_fresh || search_.is_done() || search_.is_under_way()) return;
  const std::uint64_t ticket = search_.begin();
  const offset_range range{place_.confirmed, std::max(place_.confirmed, cursor_.stored().sent_before)};
  sink_.recover(ticket, {cursor_.sent_identity(), settings_.topic, settings_.partition, range,
                         range.empty() ? std::vector<destination>{} : search_.start()});
}

void forwarder::recovered(std::uint64_t ticket, recovery found) {
  if (!search_.end(ticket, std::move(found)) || search_.present().empty()) return;
  log::info("{}: {} records from {} on are at the destination already", settings_.title(), search_.present().size(),
            place_.confirmed);
}

void forwarder::confirmed(offset_t offset, destination where) {
  const window::entry* entry = window_.settle(offset, where);
  if (entry == nullptr) return;
  ++progress_.confirmed_records;
  progress_.confirmed_bytes += entry->bytes;
  if (!times_.corrected(entry->timestamp_ms)) times_.accepted(entry->timestamp_ms);
  failpoint::pass("after_confirm");
  if (lone_.refusal() == nullptr) lone_.reset();
  advance();
}

void forwarder::refused(offset_t offset, refusal_cause cause, const std::string& reason) {
  if (!lone_.is_kept() || lone_.batch().base_offset != offset) return;
  if (cause == refusal_cause::time) return refused_for_its_time(lone_.batch().first_timestamp_ms, reason);
  lone_.refuse(reason);
}

// The record is sent again with another time. If that is refused as well, this machine's clock or the destination's is
// wrong. A wrong clock is no reason to give a record up: it is tried again until both are right.
void forwarder::refused_for_its_time(std::int64_t timestamp_ms, const std::string& reason) {
  if (times_.corrected(timestamp_ms)) {
    log::error("{}: the destination refuses the time of arrival as well ({}): is this machine's clock right?",
               settings_.title(), reason);
    fetch_.pause_until(clock_.monotonic() + refused_time_pause);
  }
  times_.refused(timestamp_ms);
  rewind();
}

// ------------------------------------------------------------------------------------------------------------ steps

void forwarder::pump() {
  if (!source_state_.log) return;
  if (!source_state_.loaded) {
    if (!std::exchange(source_state_.loading, true)) source_.load_cursor();
    return;
  }
  request_recovery();
  keep_fetching();
  send_pending();
  if (cursor_due()) store_cursor();
}

void forwarder::stop() { stopping_ = true; }

bool forwarder::finished() const {
  const bool is_stored =
      !cursor_.is_storing() && cursor_.stored().offset == place_.confirmed && !cursor_.stored().open();
  return !source_state_.loaded || (window_.empty() && is_stored);
}

void forwarder::keep_fetching() {
  if (stopping_ || fetch_.is_under_way() || fetch_.has_records() || clock_.monotonic() < fetch_.not_before()) return;
  source_.fetch(fetch_.begin(), place_.next_send);
}

void forwarder::send_pending() {
  if (const std::string* const refusal = lone_.refusal()) {
    if (!lone_.is_copy_asked()) ask_for_copy(*refusal);
    return;
  }
  if (!fetch_.has_records() || stopping_) return;
  record_stream& pending = fetch_.records();
  const offset_t before = place_.next_send;
  bool room = true;
  while (room && !pending.at_end()) {
    if (const auto range = pending.take_unreadable()) {
      pass_over(*range);
    } else if (const record_view& record = *pending.front(); record.offset < place_.next_send) {
      pending.pop();
    } else {
      room = search_.is_done() && forward(record);
      if (room) pending.pop();
    }
  }
  if (!pending.at_end()) return;
  fetch_.done();
  // An answer without a new record would be asked for again at once, for ever.
  if (place_.next_send == before) fetch_.pause_until(clock_.monotonic() + unusable_answer_pause);
  keep_fetching();
}

// A batch that cannot be read now never will be. It stays at the broker until retention drops it.
void forwarder::pass_over(const unreadable_range& range) {
  if (range.range.end <= place_.next_send) return;
  const offset_t first = std::max(range.range.begin, place_.next_send);
  log::error("{}: offsets {} to {} are not forwarded: {}", settings_.title(), first, range.range.end - 1, range.reason);
  progress_.refused_records += range.range.end - first;
  place_.next_send = range.range.end;
  window_.push({range.range.end - 1, 0, 0, true, {}});
  advance();
}

// Returns false if the record has to wait.
bool forwarder::forward(const record_view& record) {
  if (skip_present(record)) return true;
  if (!may_send(record.offset)) return false;
  if (sink_state_.at_pace == pace::one_by_one) lone_.keep(record);
  std::string reason, own_time;
  record_view timed = record;
  if (const auto corrected = times_.corrected(record.timestamp_ms)) {
    own_time = std::to_string(record.timestamp_ms);
    timed.timestamp_ms = *corrected;
    timed.headers.push_back({header_timestamp, own_time});
  }
  const send_outcome outcome = sink_.send(cursor_.sent_identity(), settings_.partition, timed, reason);
  if (outcome == send_outcome::full) return false;
  if (!own_time.empty() && progress_.times_corrected++ == 0) {
    log::warning(
        "{}: the time of record {} is off ({} ms since 1970): such records are sent with the time of "
        "their arrival, and their own in {}",
        settings_.title(), record.offset, own_time, header_timestamp);
  }
  window_.push({record.offset, record.timestamp_ms, size_of(record)});
  place_.next_send = record.offset + 1;
  if (outcome == send_outcome::refused) {
    lone_.keep(record);
    lone_.refuse(reason);
    ask_for_copy(reason);
    return true;
  }
  ++progress_.sent_records;
  progress_.sent_bytes += size_of(record);
  failpoint::pass("after_send");
  return true;
}

bool forwarder::skip_present(const record_view& record) {
  const present_record* const found = search_.find(record.offset);
  if (found == nullptr) return false;
  ++progress_.duplicates_avoided;
  place_.next_send = record.offset + 1;
  window_.push({record.offset, record.timestamp_ms, size_of(record), true, found->where});
  advance();
  return true;
}

bool forwarder::may_send(offset_t offset) const {
  if (lone_.refusal() != nullptr) return false;
  if (sink_state_.at_pace == pace::one_by_one && window_.unsettled() > 0) return false;
  return offset < cursor_.stored().sent_before;
}

// Asks for the refused record's copy in the dead-letter topic, and again if the connection was lost meanwhile.
void forwarder::ask_for_copy(const std::string& reason) {
  lone_.set_copy_asked(true);
  const batch_view batch = lone_.batch();
  record_reader reader(batch);
  record_view kept;
  TIDEGATE_EXPECT(reader.next(kept));
  source_.dead_letter(kept, reason);
}

void forwarder::settle(offset_t offset, destination where) {
  if (window_.settle(offset, where) != nullptr) advance();
}

// Moves over every record at the front that is settled.
void forwarder::advance() {
  while (const auto done = window_.pop_settled()) {
    place_.confirmed = done->offset + 1;
    search_.pass(done->where);
  }
}

// ----------------------------------------------------------------------------------------------------------- cursor

bool forwarder::wants_to_send() {
  if (!fetch_.has_records() || stopping_) return false;
  const record_view* next = fetch_.records().front();
  return next != nullptr && next->offset + settings_.intent_records / 2 >= cursor_.stored().sent_before;
}

bool forwarder::cursor_due() {
  if (cursor_.is_storing()) return false;
  const cursor& stored = cursor_.stored();
  const std::uint64_t progressed = place_.confirmed - std::min(place_.confirmed, stored.offset);
  if (stopping_) return progressed > 0 || (window_.empty() && stored.open());
  // Before the search it is not known from where a later search would have to start.
  if (search_.is_done() && wants_to_send() && place_.confirmed + settings_.intent_records > stored.sent_before) {
    // A stride of a quarter: no commit for every few records if as many are under way as an intent may cover.
    if (window_.empty() || progressed >= settings_.intent_records / 4) return true;
  }
  return progressed > 0 && clock_.monotonic() - cursor_.stored_at() >= settings_.cursor_interval;
}

void forwarder::store_cursor() {
  const offset_t confirmed = place_.confirmed, sent_before = cursor_.stored().sent_before;
  const bool close = stopping_ && window_.empty();
  cursor next{cursor_.sent_identity().incarnation, cursor_.log().topic_id, confirmed, confirmed, search_.start()};
  if (stopping_ && !close) next.sent_before = std::max(sent_before, confirmed);
  // Before the search nothing may be sent, and the range stays what it was.
  if (!stopping_) next.sent_before = search_.is_done() ? confirmed + settings_.intent_records : sent_before;
  next.sent_before = std::max(next.sent_before, confirmed);
  if (confirmed > cursor_.stored().offset) failpoint::pass("before_cursor");
  cursor_.begin_store(next, clock_.monotonic());
  source_.store_cursor(next.offset, encode_metadata(next));
}

// ----------------------------------------------------------------------------------------------------------- status

std::string_view forwarder::state() const {
  if (source_state_.gone) return "gone with its topic";
  if (!source_state_.log) return "waiting for the broker";
  if (!source_state_.loaded) return "reading its cursor";
  if (!sink_state_.open) return "holding";
  if (!search_.is_done()) return "looking for what was sent";
  if (stopping_) return "stopping";
  if (lag_records() == 0 && window_.empty()) return "caught up";
  return sink_state_.at_pace == pace::normal ? "forwarding" : "forwarding one by one";
}

std::optional<std::int64_t> forwarder::oldest_timestamp_ms() {
  if (const window::entry* oldest = window_.oldest()) return oldest->timestamp_ms;
  if (!fetch_.has_records()) return std::nullopt;
  const record_view* next = fetch_.records().front();
  return next == nullptr ? std::nullopt : std::optional(next->timestamp_ms);
}

}  // namespace tidegate::bridge
