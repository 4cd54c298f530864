#include "bridge/forwarder.hpp"

#include <algorithm>

#include "bridge/failpoint.hpp"
#include "broker/base/log.hpp"

namespace tidegate::bridge {
namespace {

constexpr milliseconds unusable_answer_pause{1'000};
constexpr milliseconds refused_time_pause{10'000};

std::size_t size_of(const record_view& record) { return record.key.size() + record.body.size(); }

bool is_same(const std::optional<stored_cursor>& found, const cursor& known) {
  return found && found->offset == known.offset && found->metadata == encode_metadata(known);
}

}  // namespace

forwarder::forwarder(forwarder_settings settings, source& source, sink& sink, const clock& clock)
    : settings_(std::move(settings)), source_(source), sink_(sink), clock_(clock), times_(settings_.times, clock) {}

// ------------------------------------------------------------------------------------------------- from the source

void forwarder::source_up(const identity& log) {
  if (is_known_ && known_ != log) leave_log();
  loaded_ = loaded_ && log_;  // a source that was up all the time has no other cursor
  log_ = log;
  gone_ = false;
}

void forwarder::source_gone() {
  if (is_known_) leave_log();
  source_lost();
  gone_ = true;
}

void forwarder::leave_log() {
  is_known_ = loaded_ = false;
  note_lost({confirmed_, high_watermark_});
  if (high_watermark_ > confirmed_) {
    log::error("route {} {}/{}: the log is another one now; offsets {} to {} of the old one were not forwarded",
               settings_.route, settings_.topic, settings_.partition, confirmed_, high_watermark_ - 1);
  }
  rewind();
  suspects_before_ = 0;
}

void forwarder::note_lost(offset_range range) {
  if (range.empty()) return;
  progress_.lost_records += range.size();
  if (progress_.lost_ranges.size() == lost_ranges_kept) progress_.lost_ranges.erase(progress_.lost_ranges.begin());
  progress_.lost_ranges.push_back(range);
}

void forwarder::source_lost() {
  log_.reset();
  loading_ = false;
  storing_.reset();
  fetching_.reset();
  dead_letter_asked_ = false;
}

void forwarder::loaded(const std::optional<stored_cursor>& stored) {
  loading_ = false;
  if (!log_) return;
  loaded_ = true;
  if (!is_known_) {
    is_known_ = true;
    known_ = *log_;
    sent_as_ = known_.incarnation;
    adopt(stored);
    return rewind();
  }
  // What is in memory is at least as new, and what is under way at the sink goes on.
  if (asked_ && is_same(stored, *asked_)) {
    stored_ = *asked_;
    has_stored_ = true;
  }
  if (has_stored_ ? is_same(stored, stored_) : !stored || stored->offset == stored_.offset) return;
  needs_fresh_sink_ = sink_open_;
  if (is_set_back(stored)) return begin_next_life(0);
  log::warning("route {} {}/{}: its cursor was moved by somebody else, from {} to {}", settings_.route, settings_.topic,
               settings_.partition, stored_.offset, stored ? stored->offset : 0);
  adopt(stored);
  rewind();
}

// An older state of our own cursor than the one that the broker said is on flash.
bool forwarder::is_set_back(const std::optional<stored_cursor>& found) const {
  if (!has_stored_) return false;
  if (!found) return true;
  const auto read = decode_cursor(found->offset, found->metadata);
  return read && read->offset < stored_.offset;
}

void forwarder::adopt(const std::optional<stored_cursor>& stored) {
  start_at(0);
  if (!stored) return;
  const auto read = decode_cursor(stored->offset, stored->metadata);
  if (!read) {
    // Somebody moved the group by hand, which is a way to make a route start elsewhere: nothing is known to be sent.
    log::warning("route {} {}/{}: starts at offset {}, {}", settings_.route, settings_.topic, settings_.partition,
                 stored->offset, read.error().text);
    start_at(stored->offset);
    placed_by_hand_ = true;
  } else if ((!read->topic_id.empty() && read->topic_id != known_.topic_id) ||
             !is_same_store(read->incarnation, known_.incarnation)) {
    log::warning("route {} {}/{}: the log is new (incarnation {}, topic {}), starts at its start", settings_.route,
                 settings_.topic, settings_.partition, known_.incarnation, known_.topic_id);
  } else {
    sent_as_ = read->incarnation;
    start_at(read->offset);
    stored_ = *read;
    stored_.topic_id = known_.topic_id;
    look_from_ = read->look_from;
    began_at_start_ = false;
  }
}

void forwarder::start_at(offset_t offset) {
  confirmed_ = next_send_ = high_watermark_ = offset;
  stored_ = {sent_as_, known_.topic_id, offset, offset, {}};
  look_from_.clear();
  began_at_start_ = offset == 0;
  placed_by_hand_ = false;
  has_stored_ = false;
  asked_.reset();
  suspects_before_ = 0;
}

void forwarder::stored() {
  if (!storing_) return;
  stored_ = *std::exchange(storing_, std::nullopt);
  has_stored_ = true;
  placed_by_hand_ = false;
  if (stored_.open()) failpoint::pass("after_intent");
}

void forwarder::fetched(std::uint64_t ticket, fetch_answer answer) {
  if (fetching_ != ticket) return;
  fetching_.reset();
  high_watermark_ = answer.high_watermark;
  if (answer.out_of_range) return skip_lost(answer);
  began_at_start_ = placed_by_hand_ = false;
  has_pending_ = !answer.batches.empty();
  pending_ = record_stream(std::move(answer.batches));
}

void forwarder::watermark(offset_t high_watermark) { high_watermark_ = std::max(high_watermark_, high_watermark); }

// Retention passed us, or the log ends before our cursor. The broker said where it can be read.
void forwarder::skip_lost(const fetch_answer& answer) {
  if (next_send_ > answer.high_watermark) return leave_overtaken_position(answer.log_start, answer.high_watermark);
  const offset_t to = std::max(next_send_, answer.log_start);
  if (to > next_send_ && !began_at_start_) {
    note_lost({next_send_, to});
    log::error("route {} {}/{}: offsets {} to {} were dropped by retention before they were forwarded", settings_.route,
               settings_.topic, settings_.partition, next_send_, to - 1);
  }
  next_send_ = to;
  if (window_.empty()) confirmed_ = to;
}

// Only who was put there by hand stands beyond the end of a log that is what it was: it goes on from its end. Else the
// store was restored from an older copy.
void forwarder::leave_overtaken_position(offset_t log_start, offset_t end) {
  fetch_not_before_ = clock_.monotonic() + unusable_answer_pause;
  if (!placed_by_hand_) {
    needs_fresh_sink_ = sink_open_;
    return begin_next_life(log_start);
  }
  log::warning("route {} {}/{}: was put at offset {}, behind the log's end; goes on from there, {}", settings_.route,
               settings_.topic, settings_.partition, next_send_, end);
  start_at(end);
  rewind();
}

// The store gives out offsets again that the centre has seen, so all that it holds is forwarded as another log.
void forwarder::begin_next_life(offset_t log_start) {
  sent_as_ = next_life(known_.incarnation, sent_as_);
  log::error(
      "route {} {}/{}: the store was set back to an older state, from before offset {}; all that it holds is "
      "forwarded anew, as incarnation {}",
      settings_.route, settings_.topic, settings_.partition, confirmed_, sent_as_);
  start_at(log_start);
  began_at_start_ = true;
  rewind();
}

void forwarder::dead_lettered(const std::optional<std::string>& failure) {
  if (!refusal_) return;
  const auto batch = read_batch(*alone_);
  const offset_t offset = batch->base_offset;
  log::error("route {} {}/{}: record {} was refused for good ({}), {}", settings_.route, settings_.topic,
             settings_.partition, offset, *refusal_,
             failure ? "and could not be kept: " + *failure : "kept in " + settings_.topic + ".dlt");
  ++progress_.refused_records;
  refusal_.reset();
  alone_.reset();
  dead_letter_asked_ = false;
  settle(offset, {});
}

// --------------------------------------------------------------------------------------------------- from the sink

void forwarder::sink_up(pace pace) {
  sink_open_ = true;
  pace_ = pace;
}

void forwarder::sink_lost() {
  sink_open_ = needs_fresh_sink_ = false;
  rewind();
}

// Back to the cursor: what was sent beyond it is looked for at the destination before anything is sent again.
void forwarder::rewind() {
  recovering_.reset();
  recovered_ = false;
  present_.clear();
  suspects_before_ = std::max(suspects_before_, next_send_);
  next_send_ = confirmed_;
  window_.clear();
  fetching_.reset();
  pending_ = {};
  has_pending_ = false;
  alone_.reset();
  refusal_.reset();
  dead_letter_asked_ = false;
}

void forwarder::request_recovery() {
  if (!sink_open_ || needs_fresh_sink_ || recovered_ || recovering_) return;
  recovering_ = ++ticket_;
  const offset_range range{confirmed_, std::max(confirmed_, stored_.sent_before)};
  sink_.recover(ticket_, {sent_identity(), settings_.topic, settings_.partition, range,
                          range.empty() ? std::vector<destination>{} : look_from_});
}

void forwarder::recovered(std::uint64_t ticket, recovery found) {
  if (recovering_ != ticket) return;
  recovering_.reset();
  recovered_ = true;
  present_ = std::move(found.present);
  if (!present_.empty()) {
    log::info("route {} {}/{}: {} records from {} on are at the destination already", settings_.route, settings_.topic,
              settings_.partition, present_.size(), confirmed_);
  }
  // Where records of ours were found, the next look must begin no later than the first of them.
  look_from_ = std::move(found.ends);
  for (const present_record& record : present_) {
    for (destination& from : look_from_) {
      if (from.partition == record.where.partition) from.offset = std::min(from.offset, record.where.offset);
    }
  }
}

void forwarder::confirmed(offset_t offset, destination where) {
  const window::entry* entry = window_.settle(offset, where);
  if (entry == nullptr) return;
  ++progress_.confirmed_records;
  progress_.confirmed_bytes += entry->bytes;
  if (!times_.corrected(entry->timestamp_ms)) times_.accepted(entry->timestamp_ms);
  failpoint::pass("after_confirm");
  if (!refusal_) alone_.reset();
  advance();
}

void forwarder::refused(offset_t offset, refusal_cause cause, const std::string& reason) {
  const auto batch = alone_ ? read_batch(*alone_) : result<batch_view>(error{errc::not_found, {}});
  if (!batch || batch->base_offset != offset) return;
  if (cause == refusal_cause::time) return refused_for_its_time(batch->first_timestamp_ms, reason);
  refusal_ = reason;
}

// It is sent again, with another time. Where that is refused as well, our clock or the far side's is wrong, and a clock
// that is wrong is no reason to give a record up: it is tried again until one of them is right.
void forwarder::refused_for_its_time(std::int64_t timestamp_ms, const std::string& reason) {
  if (times_.corrected(timestamp_ms)) {
    log::error(
        "route {} {}/{}: the destination refuses the time of arrival as well ({}): is this machine's clock right?",
        settings_.route, settings_.topic, settings_.partition, reason);
    fetch_not_before_ = clock_.monotonic() + refused_time_pause;
  }
  times_.refused(timestamp_ms);
  rewind();
}

// ------------------------------------------------------------------------------------------------------------ steps

void forwarder::pump() {
  if (!log_) return;
  if (!loaded_) {
    if (!std::exchange(loading_, true)) source_.load_cursor();
    return;
  }
  request_recovery();
  keep_fetching();
  send_pending();
  if (cursor_due()) store_cursor();
}

void forwarder::stop() { stopping_ = true; }

bool forwarder::finished() const {
  return !loaded_ || (window_.empty() && !storing_ && stored_.offset == confirmed_ && !stored_.open());
}

void forwarder::keep_fetching() {
  if (stopping_ || fetching_ || has_pending_ || clock_.monotonic() < fetch_not_before_) return;
  fetching_ = ++ticket_;
  source_.fetch(ticket_, next_send_);
}

void forwarder::send_pending() {
  if (!has_pending_ || stopping_ || refusal_) {
    if (refusal_ && !dead_letter_asked_) begin_dead_letter({}, *refusal_);
    return;
  }
  const offset_t before = next_send_;
  bool room = true;
  while (room && !pending_.at_end()) {
    if (const auto range = pending_.take_unreadable()) {
      pass_over(*range);
    } else if (const record_view& record = *pending_.front(); record.offset < next_send_) {
      pending_.pop();
    } else {
      room = recovered_ && forward(record);
      if (room) pending_.pop();
    }
  }
  if (!pending_.at_end()) return;
  has_pending_ = false;
  // An answer that brought nothing would be asked for again at once, for ever.
  if (next_send_ == before) fetch_not_before_ = clock_.monotonic() + unusable_answer_pause;
  keep_fetching();
}

// A batch that cannot be read never will be; it stays at the broker until retention takes it.
void forwarder::pass_over(const unreadable_range& range) {
  if (range.range.end <= next_send_) return;
  const offset_t first = std::max(range.range.begin, next_send_);
  log::error("route {} {}/{}: offsets {} to {} are not forwarded: {}", settings_.route, settings_.topic,
             settings_.partition, first, range.range.end - 1, range.reason);
  progress_.refused_records += range.range.end - first;
  next_send_ = range.range.end;
  window_.push({range.range.end - 1, 0, 0, true, {}});
  advance();
}

// False when it has to wait.
bool forwarder::forward(const record_view& record) {
  if (skip_present(record)) return true;
  if (!may_send(record.offset)) return false;
  if (pace_ == pace::one_by_one) {
    batch_builder copy;
    copy.add(record);
    alone_ = copy.finish();
  }
  std::string reason, own_time;
  record_view timed = record;
  if (const auto corrected = times_.corrected(record.timestamp_ms)) {
    own_time = std::to_string(record.timestamp_ms);
    timed.timestamp_ms = *corrected;
    timed.headers.push_back({header_timestamp, own_time});
  }
  const send_outcome outcome = sink_.send(sent_identity(), settings_.partition, timed, reason);
  if (outcome == send_outcome::full) return false;
  if (!own_time.empty() && progress_.times_corrected++ == 0) {
    log::warning(
        "route {} {}/{}: the time of record {} is off ({} ms since 1970): such records are sent with the time of "
        "their arrival, and their own in {}",
        settings_.route, settings_.topic, settings_.partition, record.offset, own_time, header_timestamp);
  }
  window_.push({record.offset, record.timestamp_ms, size_of(record)});
  next_send_ = record.offset + 1;
  if (outcome == send_outcome::refused) {
    begin_dead_letter(record, reason);
    return true;
  }
  ++progress_.sent_records;
  progress_.sent_bytes += size_of(record);
  failpoint::pass("after_send");
  return true;
}

bool forwarder::skip_present(const record_view& record) {
  const auto at = std::lower_bound(present_.begin(), present_.end(), record.offset,
                                   [](const present_record& one, offset_t wanted) { return one.offset < wanted; });
  if (at == present_.end() || at->offset != record.offset) return false;
  ++progress_.duplicates_avoided;
  next_send_ = record.offset + 1;
  window_.push({record.offset, record.timestamp_ms, size_of(record), true, at->where});
  advance();
  return true;
}

bool forwarder::may_send(offset_t offset) const {
  if (refusal_) return false;
  if (pace_ == pace::one_by_one && window_.unsettled() > 0) return false;
  return offset < stored_.sent_before;
}

// Also asked again, of the record kept in `alone_`, when the connection was lost meanwhile.
void forwarder::begin_dead_letter(const record_view& record, const std::string& reason) {
  if (!alone_) {
    batch_builder copy;
    copy.add(record);
    alone_ = copy.finish();
  }
  refusal_ = reason;
  dead_letter_asked_ = true;
  const auto batch = read_batch(*alone_);
  record_reader reader(*batch);
  record_view kept;
  TIDEGATE_EXPECT(reader.next(kept));
  source_.dead_letter(kept, reason);
}

void forwarder::settle(offset_t offset, destination where) {
  if (window_.settle(offset, where) != nullptr) advance();
}

// Moves over all that is done with.
void forwarder::advance() {
  while (const auto done = window_.pop_settled()) {
    confirmed_ = done->offset + 1;
    look_from_behind(done->where);
  }
}

void forwarder::look_from_behind(destination where) {
  if (where.offset < 0) return;
  for (destination& from : look_from_) {
    if (from.partition == where.partition) from.offset = std::max(from.offset, where.offset + 1);
  }
}

// ----------------------------------------------------------------------------------------------------------- cursor

bool forwarder::wants_to_send() {
  if (!has_pending_ || stopping_) return false;
  const record_view* next = pending_.front();
  return next != nullptr && next->offset + settings_.intent_records / 2 >= stored_.sent_before;
}

bool forwarder::cursor_due() {
  if (storing_) return false;
  const std::uint64_t progressed = confirmed_ - std::min(confirmed_, stored_.offset);
  if (stopping_) return progressed > 0 || (window_.empty() && stored_.open());
  // Without a look at the destination there is no saying from where a later look must begin.
  if (recovered_ && wants_to_send() && confirmed_ + settings_.intent_records > stored_.sent_before) {
    // A stride of a quarter: not a commit for every few records when as many are under way as an intent may cover.
    if (window_.empty() || progressed >= settings_.intent_records / 4) return true;
  }
  return progressed > 0 && clock_.monotonic() - stored_at_ >= settings_.cursor_interval;
}

void forwarder::store_cursor() {
  const bool close = stopping_ && window_.empty();
  cursor next{sent_as_, known_.topic_id, confirmed_, confirmed_, look_from_};
  if (stopping_ && !close) next.sent_before = std::max(stored_.sent_before, confirmed_);
  // Until the destination has been looked at, nothing may be sent and the range stays what it was.
  if (!stopping_) next.sent_before = recovered_ ? confirmed_ + settings_.intent_records : stored_.sent_before;
  next.sent_before = std::max(next.sent_before, confirmed_);
  if (confirmed_ > stored_.offset) failpoint::pass("before_cursor");
  storing_ = asked_ = next;
  stored_at_ = clock_.monotonic();
  source_.store_cursor(next.offset, encode_metadata(next));
}

// ----------------------------------------------------------------------------------------------------------- status

std::string_view forwarder::state() const {
  if (gone_) return "gone with its topic";
  if (!log_) return "waiting for the broker";
  if (!loaded_) return "reading its cursor";
  if (!sink_open_) return "holding";
  if (!recovered_) return "looking for what was sent";
  if (stopping_) return "stopping";
  if (lag_records() == 0 && window_.empty()) return "caught up";
  return pace_ == pace::normal ? "forwarding" : "forwarding one by one";
}

std::optional<std::int64_t> forwarder::oldest_timestamp_ms() {
  if (const window::entry* oldest = window_.oldest()) return oldest->timestamp_ms;
  if (!has_pending_) return std::nullopt;
  const record_view* next = pending_.front();
  return next == nullptr ? std::nullopt : std::optional(next->timestamp_ms);
}

}  // namespace tidegate::bridge
