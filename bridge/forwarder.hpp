// Carries one partition of a route's topic to its sink. A state machine without sockets, threads or time of its own.
//
// The source and the sink report events by the functions below; pump() then does everything that can be done. Call
// pump() as time passes, too. Nothing is sent before its intent is stored, and the cursor moves only over confirmed
// records (cursor.hpp).
//
//       log start      cursor.offset    confirmed        next_send       fetched      high watermark
//   ------|----------------|----------------|----------------|--------------|---------------|
//                          |  not stored yet|    window      |   pending    |
//                          |<------------------ intent ------------------------->|
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/fetching.hpp"
#include "bridge/kept_cursor.hpp"
#include "bridge/lone_record.hpp"
#include "bridge/record_times.hpp"
#include "bridge/search.hpp"
#include "bridge/sink.hpp"
#include "bridge/source.hpp"
#include "bridge/window.hpp"
#include "broker/base/clock.hpp"

namespace tidegate::bridge {

struct forwarder_settings {
  std::string route;
  std::string topic;
  std::uint32_t partition = 0;
  // How many offsets an intent reaches ahead: bounds the window, and what a search has to remember.
  std::uint64_t intent_records = 16'384;
  // The cursor is stored at most this often without errors: each time is a commit on flash.
  milliseconds cursor_interval{1'000};
  time_bounds times = {};

  // Returns "route <route> <topic>/<partition>", for log lines.
  std::string title() const;
};

// Counts of records since the start of the program.
struct progress {
  std::uint64_t sent_records = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t confirmed_records = 0;
  std::uint64_t confirmed_bytes = 0;
  std::uint64_t duplicates_avoided = 0;  // found at the destination after a restart, not sent again
  std::uint64_t refused_records = 0;
  std::uint64_t times_corrected = 0;      // sent with the time of arrival
  std::uint64_t lost_records = 0;         // gone at the source before they were forwarded
  std::vector<offset_range> lost_ranges;  // the newest lost_ranges_kept of them
};

constexpr std::size_t lost_ranges_kept = 16;

class forwarder {
 public:
  // The source, the sink and the clock outlive the forwarder.
  forwarder(forwarder_settings settings, source& source, sink& sink, const clock& clock);

  // Events of the source. Call source_up() after every connect and source_lost() when the connection ended. If the log
  // is another one than before, records of the old one that were not forwarded are counted as lost, and the new one is
  // forwarded from its start. The cursor is read again each time: another bridge may have had the lease meanwhile, or
  // the store may have been set back.
  void source_up(const identity& log);
  void source_lost();
  // The topic was declared again with fewer partitions: this one is gone.
  void source_gone();
  void loaded(const std::optional<stored_cursor>& stored);
  void stored();
  void fetched(std::uint64_t ticket, fetch_answer answer);
  void watermark(offset_t high_watermark);
  // The copy of a refused record is in the dead-letter topic, or could not be written.
  void dead_lettered(const std::optional<std::string>& failure);

  // Events of the sink.
  void sink_up(pace pace);
  void sink_lost();
  void recovered(std::uint64_t ticket, recovery found);
  void confirmed(offset_t offset, destination where);
  void refused(offset_t offset, refusal_cause cause, const std::string& reason);

  void pump();
  // Sends nothing new, waits for confirmations of what was sent, and stores the cursor.
  void stop();

  // After stop(): every record is confirmed and the cursor is stored.
  bool finished() const;
  // Records wait for the sink's confirmation.
  bool in_flight() const { return window_.unsettled() > 0; }
  // Records in flight belong to a position that was left, so the sink must not report them any more. Nothing is sent
  // until sink_lost().
  bool needs_fresh_sink() const { return sink_state_.needs_fresh; }
  // Every record that was in flight at the last sink_lost() is settled.
  bool past_suspects() const { return place_.confirmed >= place_.suspects_before; }
  // Returns the state in words, for people.
  std::string_view state() const;
  const progress& counters() const { return progress_; }
  std::uint64_t lag_records() const { return place_.unforwarded().size(); }
  // Returns the timestamp of the oldest record that is not forwarded; none if it is not known.
  std::optional<std::int64_t> oldest_timestamp_ms();
  offset_t position() const { return place_.confirmed; }

 private:
  // Offsets of the log.
  struct place {
    offset_t confirmed = 0;
    offset_t next_send = 0;
    offset_t high_watermark = 0;
    offset_t suspects_before = 0;  // records before were in flight at the last sink_lost()
    offset_range unforwarded() const { return {confirmed, std::max(confirmed, high_watermark)}; }
  };
  struct source_state {
    std::optional<identity> log;  // while the source is up
    bool loading = false;         // the cursor is being read
    bool loaded = false;
    bool gone = false;
  };
  struct sink_state {
    bool open = false;
    bool needs_fresh = false;
    pace at_pace = pace::normal;
  };

  void adopt(const std::optional<stored_cursor>& stored);
  void leave_log();
  void note_lost(offset_range range);
  void leave_overtaken_position(offset_t log_start, offset_t end);
  void begin_next_life(offset_t log_start);
  void go_to_cursor();
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
  void ask_for_copy(const std::string& reason);
  void settle(offset_t offset, destination where);
  void advance();
  bool cursor_due();
  void store_cursor();
  bool wants_to_send();

  const forwarder_settings settings_;
  source& source_;
  sink& sink_;
  const clock& clock_;
  progress progress_;
  record_times times_;
  source_state source_state_;
  sink_state sink_state_;
  place place_;
  window window_;
  kept_cursor cursor_;
  fetching fetch_;
  search search_;
  lone_record lone_;
  bool stopping_ = false;
};

}  // namespace tidegate::bridge
