// Carries one partition of a route's topic to its sink: a state machine without sockets, threads or time of its own.
//
// The source and the sink tell it what happened through the functions below; pump() then does all that can be done,
// and is also to be called now and then, as time passes. Nothing is sent before its intent is stored, and the cursor
// moves only over what the sink confirmed (cursor.hpp).
//
//       log start      cursor.offset    confirmed        next_send       fetched      high watermark
//   ------|----------------|----------------|----------------|--------------|---------------|
//                          |  not stored yet|    window      |   pending    |
//                          |<------------------ intent ------------------------->|
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/cursor.hpp"
#include "bridge/record_stream.hpp"
#include "bridge/record_times.hpp"
#include "bridge/sink.hpp"
#include "bridge/source.hpp"
#include "bridge/window.hpp"
#include "broker/base/clock.hpp"

namespace tidegate::bridge {

struct forwarder_settings {
  std::string route;
  std::string topic;
  std::uint32_t partition = 0;
  // Offsets that an intent reaches ahead: also the bound of the window and of what a recovery has to remember.
  std::uint64_t intent_records = 16'384;
  // The cursor is stored at most this often while all goes well: each time is a commit on flash.
  milliseconds cursor_interval{1'000};
  time_bounds times = {};
};

// What became of the records, since the start of the program.
struct progress {
  std::uint64_t sent_records = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t confirmed_records = 0;
  std::uint64_t confirmed_bytes = 0;
  std::uint64_t duplicates_avoided = 0;  // found at the destination after a restart, not sent again
  std::uint64_t refused_records = 0;
  std::uint64_t times_corrected = 0;      // sent with the time of arrival
  std::uint64_t lost_records = 0;         // gone at the source before they were forwarded
  std::vector<offset_range> lost_ranges;  // the newest of them
};

constexpr std::size_t lost_ranges_kept = 16;

class forwarder {
 public:
  // All that is referred to outlives the forwarder.
  forwarder(forwarder_settings settings, source& source, sink& sink, const clock& clock);

  // From the source. `source_up` after every connect; `source_lost` when the connection has ended. With another log
  // than before, what was not forwarded of the old one is counted as lost, and the new one is forwarded from its start.
  // The cursor is read each time: meanwhile another bridge may have had the lease, or the store may have been set back.
  void source_up(const identity& log);
  void source_lost();
  // The log is gone, and the new one of its name has fewer partitions.
  void source_gone();
  void loaded(const std::optional<stored_cursor>& stored);
  void stored();
  void fetched(std::uint64_t ticket, fetch_answer answer);
  void watermark(offset_t high_watermark);
  void dead_lettered(const std::optional<std::string>& failure);

  // From the sink.
  void sink_up(pace pace);
  void sink_lost();
  void recovered(std::uint64_t ticket, recovery found);
  void confirmed(offset_t offset, destination where);
  void refused(offset_t offset, refusal_cause cause, const std::string& reason);

  void pump();
  // Takes nothing new; what was sent is waited for, and the cursor is stored.
  void stop();

  // After stop(): all is confirmed and stored.
  bool finished() const;
  // Records wait for the sink's confirmation.
  bool in_flight() const { return window_.unsettled() > 0; }
  // What was sent belongs to a position that is left: its reports must not come any more. Until sink_lost() nothing is
  // sent.
  bool needs_fresh_sink() const { return needs_fresh_sink_; }
  // All that was in flight at the last sink_lost() has been dealt with.
  bool past_suspects() const { return confirmed_ >= suspects_before_; }
  // In words, for people.
  std::string_view state() const;
  const progress& counters() const { return progress_; }
  std::uint64_t lag_records() const { return high_watermark_ > confirmed_ ? high_watermark_ - confirmed_ : 0; }
  // Of the oldest record that is not forwarded, where it is known.
  std::optional<std::int64_t> oldest_timestamp_ms();
  offset_t position() const { return confirmed_; }

 private:
  void adopt(const std::optional<stored_cursor>& stored);
  bool is_set_back(const std::optional<stored_cursor>& found) const;
  void leave_log();
  void note_lost(offset_range range);
  void leave_overtaken_position(offset_t log_start, offset_t end);
  void begin_next_life(offset_t log_start);
  void start_at(offset_t offset);
  identity sent_identity() const { return {known_.gateway, sent_as_, known_.topic_id}; }
  void rewind();
  void request_recovery();
  void keep_fetching();
  void skip_lost(const fetch_answer& answer);
  void send_pending();
  void pass_over(const unreadable_range& range);
  bool forward(const record_view& record);
  void refused_for_its_time(std::int64_t timestamp_ms, const std::string& reason);
  bool skip_present(const record_view& record);
  bool may_send(offset_t offset) const;
  void begin_dead_letter(const record_view& record, const std::string& reason);
  void settle(offset_t offset, destination where);
  void advance();
  void look_from_behind(destination where);
  bool cursor_due();
  void store_cursor();
  bool wants_to_send();

  const forwarder_settings settings_;
  source& source_;
  sink& sink_;
  const clock& clock_;
  progress progress_;
  record_times times_;

  std::optional<identity> log_;  // while the source is up
  identity known_;               // the log that the offsets below belong to, where one is known
  bool is_known_ = false;
  // What the records say of their incarnation. A store that was restored from an older copy gives offsets a second
  // time: then the broker's incarnation with a count behind it, so that the centre does not take new records for old
  // ones.
  std::string sent_as_;
  bool loading_ = false;
  bool loaded_ = false;
  bool stopping_ = false;

  // Where we are.
  offset_t confirmed_ = 0;
  offset_t next_send_ = 0;
  offset_t high_watermark_ = 0;
  std::vector<destination> look_from_;  // holds for confirmed_
  window window_;

  // The stored cursor, and the one that is being stored.
  cursor stored_;
  std::optional<cursor> storing_;
  std::optional<cursor> asked_;  // was asked for last; it may be stored though no answer came
  bool has_stored_ = false;      // something since the cursor was adopted
  bool needs_fresh_sink_ = false;
  milliseconds stored_at_{0};

  // Fetching.
  record_stream pending_;
  bool has_pending_ = false;
  bool began_at_start_ = false;  // there was no cursor: what is gone already is not a loss
  bool placed_by_hand_ = false;  // and nothing of ours is known to be at the destination
  bool gone_ = false;
  std::uint64_t ticket_ = 0;  // of the fetch and the recovery that count; older ones are ignored
  std::optional<std::uint64_t> fetching_;
  milliseconds fetch_not_before_{0};

  // The sink.
  bool sink_open_ = false;
  pace pace_ = pace::normal;
  std::optional<std::uint64_t> recovering_;
  bool recovered_ = false;
  std::vector<present_record> present_;
  offset_t suspects_before_ = 0;
  std::optional<std::string> alone_;    // the record that travels alone, as a batch of one
  std::optional<std::string> refusal_;  // why it was refused: its copy in the dead-letter topic is being written
  bool dead_letter_asked_ = false;
};

}  // namespace tidegate::bridge
