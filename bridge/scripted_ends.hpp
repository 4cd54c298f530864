// For tests: a source and a sink that only record the calls made to them, and a forwarder between the two.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "bridge/forwarder.hpp"
#include "bridge/record_times.hpp"
#include "bridge/sink.hpp"
#include "bridge/source.hpp"

namespace tidegate::bridge {

struct scripted_source final : source {
  struct fetch_call {
    std::uint64_t ticket;
    offset_t from;
  };
  struct store_call {
    offset_t offset;
    std::string metadata;
  };

  void load_cursor() override { ++loads; }
  void store_cursor(offset_t offset, std::string_view metadata) override {
    stores.push_back({offset, std::string(metadata)});
    log->push_back("store " + std::to_string(offset));
  }
  void fetch(std::uint64_t ticket, offset_t from) override { fetches.push_back({ticket, from}); }
  void dead_letter(const record_view& record, std::string_view reason) override {
    dead_letters.push_back(std::to_string(record.offset) + " " + std::string(record.body) + ": " + std::string(reason));
  }

  explicit scripted_source(std::vector<std::string>& shared_log) : log(&shared_log) {}
  int loads = 0;
  std::vector<fetch_call> fetches;
  std::vector<store_call> stores;
  std::vector<std::string> dead_letters;
  std::vector<std::string>* log;  // stores and sends, in the order of their calls
};

struct scripted_sink final : sink {
  struct recover_call {
    std::uint64_t ticket;
    recovery_request request;
  };

  // The timestamp that a record was sent with, and its own from the header if that differs.
  struct sent_time {
    std::int64_t timestamp_ms;
    std::string own;
    friend bool operator==(const sent_time&, const sent_time&) = default;
  };

  void open(pace pace) override { opens.push_back(pace); }
  void close() override { ++closes; }
  void recover(std::uint64_t ticket, recovery_request request) override { recoveries.push_back({ticket, request}); }
  send_outcome send(const identity& source, std::uint32_t, const record_view& record, std::string& reason) override {
    if (sent.size() >= room) return send_outcome::full;
    log->push_back("send " + std::to_string(record.offset));
    if (record.offset == refuses) {
      reason = "too large";
      return send_outcome::refused;
    }
    sent.push_back(record.offset);
    senders.push_back(source);
    times.push_back({record.timestamp_ms, {}});
    for (const header& header : record.headers) {
      if (header.name == header_timestamp) times.back().own = header.value;
    }
    return send_outcome::accepted;
  }
  void flush() override { ++flushes; }

  explicit scripted_sink(std::vector<std::string>& shared_log) : log(&shared_log) {}
  std::size_t room = 1'000'000;
  offset_t refuses = static_cast<offset_t>(-1);
  std::vector<offset_t> sent;
  std::vector<sent_time> times;
  std::vector<identity> senders;  // one for each element of `sent`
  std::vector<pace> opens;
  int closes = 0;
  int flushes = 0;
  std::vector<recover_call> recoveries;
  std::vector<std::string>* log;
};

// Returns records of [begin, end) with bodies "body <offset>".
inline std::string batch_of(offset_range range, std::int64_t timestamp_ms = 1'000) {
  batch_builder builder;
  for (offset_t offset = range.begin; offset < range.end; ++offset) {
    const std::string body = "body " + std::to_string(offset);
    record_view record;
    record.offset = offset;
    record.timestamp_ms = timestamp_ms;
    record.body = body;
    builder.add(record);
  }
  return builder.finish();
}

inline const identity log_a{"gateway", "incarnation-a", "topic-id"};
inline const identity log_b{"gateway", "incarnation-b", "topic-id"};

// A forwarder between a scripted source and a scripted sink, driven by small verbs.
struct driven_forwarder {
  std::vector<std::string> log;
  scripted_source source{log};
  scripted_sink sink{log};
  manual_clock clock;
  forwarder forward{{"route", "topic", 0, 100, milliseconds(1'000)}, source, sink, clock};

  void start(std::optional<stored_cursor> stored = std::nullopt, recovery found = {{}, {{0, 50}}}) {
    forward.source_up(log_a);
    forward.pump();
    forward.loaded(stored);
    forward.sink_up(pace::normal);
    forward.pump();
    recover(std::move(found));
  }
  void recover(recovery found) {
    forward.recovered(sink.recoveries.back().ticket, std::move(found));
    forward.pump();
  }
  void fetched(offset_range range, offset_t high_watermark) {
    forward.fetched(source.fetches.back().ticket, {false, 0, high_watermark, batch_of(range)});
    forward.pump();
  }
  void out_of_range(offset_t log_start, offset_t high_watermark) {
    forward.fetched(source.fetches.back().ticket, {true, log_start, high_watermark, {}});
    forward.pump();
  }
  void stored() {
    forward.stored();
    forward.pump();
  }
  void confirm(offset_range range, std::int64_t first_destination) {
    for (offset_t offset = range.begin; offset < range.end; ++offset)
      forward.confirmed(offset, {0, first_destination++});
    forward.pump();
  }
  void pass(milliseconds time) {
    clock.advance(time);
    forward.pump();
  }
  cursor last_stored() const {
    return decode_cursor(source.stores.back().offset, source.stores.back().metadata).value();
  }
  // Replaces the sink, as the forwarder requested.
  void renew_sink() {
    TIDEGATE_EXPECT(forward.needs_fresh_sink());
    forward.sink_lost();
    forward.sink_up(pace::normal);
    forward.pump();
  }
  // Connects the broker again; it returns this cursor.
  void come_back(const std::optional<stored_cursor>& found) {
    forward.source_up(log_a);
    forward.pump();
    forward.loaded(found);
    forward.pump();
  }
  stored_cursor last_stored_raw() const { return {source.stores.back().offset, source.stores.back().metadata}; }
};

}  // namespace tidegate::bridge
