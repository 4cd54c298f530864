// What must hold: nothing is sent before its intent is stored; the cursor moves only over what is confirmed; a restart
// sends nothing twice and leaves nothing out; whatever is left out is counted.
#include "bridge/forwarder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/scripted_ends.hpp"

namespace tidegate::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const identity log_a{"gateway", "incarnation-a", "topic-id"};
const identity log_b{"gateway", "incarnation-b", "topic-id"};

struct forwarder_test : testing::Test {
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
  stored_cursor last_stored_raw() const { return {source.stores.back().offset, source.stores.back().metadata}; }
};

TEST_F(forwarder_test, stores_the_intent_before_it_sends) {
  start();
  fetched({0, 3}, 3);
  EXPECT_THAT(log, ElementsAre("store 0"));
  EXPECT_EQ(last_stored(), (cursor{"incarnation-a", "topic-id", 0, 100, {{0, 50}}}));
  stored();
  EXPECT_THAT(log, ElementsAre("store 0", "send 0", "send 1", "send 2"));
}

TEST_F(forwarder_test, stores_nothing_while_there_is_nothing_to_send) {
  start();
  pass(milliseconds(60'000));
  EXPECT_THAT(log, IsEmpty());
}

TEST_F(forwarder_test, moves_the_cursor_only_over_what_is_confirmed) {
  start();
  fetched({0, 4}, 4);
  stored();
  confirm({1, 3}, 51);
  pass(milliseconds(5'000));
  EXPECT_EQ(source.stores.size(), 1u);
  confirm({0, 1}, 50);
  pass(milliseconds(5'000));
  ASSERT_EQ(source.stores.size(), 2u);
  EXPECT_EQ(last_stored(), (cursor{"incarnation-a", "topic-id", 3, 103, {{0, 53}}}));
}

TEST_F(forwarder_test, carries_the_next_intent_with_the_cursor_and_stores_once_an_interval) {
  start();
  fetched({0, 2}, 2);
  stored();
  confirm({0, 2}, 50);
  pass(milliseconds(1'000));
  stored();
  fetched({2, 4}, 4);
  confirm({2, 4}, 52);
  EXPECT_THAT(log, ElementsAre("store 0", "send 0", "send 1", "store 2", "send 2", "send 3"));
  pass(milliseconds(999));
  EXPECT_EQ(source.stores.size(), 2u);
  pass(milliseconds(1));
  EXPECT_EQ(source.stores.back().offset, 4u);
}

TEST_F(forwarder_test, never_sends_beyond_the_intent) {
  start();
  fetched({0, 300}, 300);
  stored();
  EXPECT_EQ(sink.sent.back(), 99u);
  // The window stands still: no commit for every few records that are confirmed.
  confirm({0, 24}, 50);
  EXPECT_EQ(source.stores.size(), 1u);
  confirm({24, 25}, 74);
  EXPECT_EQ(source.stores.size(), 2u);
  EXPECT_EQ(last_stored().sent_before, 125u);
  EXPECT_EQ(sink.sent.back(), 99u);
  stored();
  EXPECT_EQ(sink.sent.back(), 124u);
}

TEST_F(forwarder_test, holds_no_more_than_the_sink_takes) {
  sink.room = 2;
  start();
  fetched({0, 10}, 10);
  stored();
  EXPECT_EQ(sink.sent.size(), 2u);
  EXPECT_EQ(source.fetches.size(), 1u);  // what is fetched is not used up: no more is
  sink.room = 3;
  confirm({0, 1}, 50);
  EXPECT_EQ(sink.sent.size(), 3u);
}

TEST_F(forwarder_test, after_a_restart_skips_what_is_there_already) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 110, {{0, 70}}})},
        {{{10, {0, 72}}, {11, {0, 75}}}, {{0, 90}}});
  const recovery_request& request = sink.recoveries.back().request;
  EXPECT_EQ(request.range, (offset_range{10, 110}));
  EXPECT_THAT(request.from, ElementsAre(destination{0, 70}));
  EXPECT_EQ(source.fetches.back().from, 10u);
  fetched({8, 14}, 14);
  EXPECT_THAT(sink.sent, ElementsAre(12, 13));
  EXPECT_EQ(forward.counters().duplicates_avoided, 2u);
  pass(milliseconds(1'000));
  // The intent of before still holds for 12 and 13; the look for them begins behind what was found.
  EXPECT_EQ(last_stored().offset, 12u);
  EXPECT_THAT(last_stored().look_from, ElementsAre(destination{0, 76}));
}

TEST_F(forwarder_test, looks_for_nothing_when_no_intent_was_open) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  EXPECT_TRUE(sink.recoveries.back().request.range.empty());
  EXPECT_THAT(sink.recoveries.back().request.from, IsEmpty());
}

TEST_F(forwarder_test, keeps_looking_from_the_first_record_found_until_the_cursor_has_passed_it) {
  // By key: record 10 is missing, records 11 and 12 are on another partition already.
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 110, {{0, 70}, {1, 30}}})},
        {{{11, {1, 33}}, {12, {1, 34}}}, {{0, 90}, {1, 40}}});
  fetched({10, 13}, 13);
  EXPECT_THAT(sink.sent, ElementsAre(10));
  forward.sink_lost();
  forward.sink_up(pace::normal);
  forward.pump();
  EXPECT_THAT(sink.recoveries.back().request.from, ElementsAre(destination{0, 90}, destination{1, 33}));
}

TEST_F(forwarder_test, starts_a_new_incarnation_at_its_start) {
  start(stored_cursor{10, encode_metadata({"incarnation-b", "topic-id", 10, 110, {{0, 70}}})});
  EXPECT_EQ(source.fetches.back().from, 0u);
  EXPECT_TRUE(sink.recoveries.back().request.range.empty());
  EXPECT_EQ(forward.counters().lost_records, 0u);
}

TEST_F(forwarder_test, reads_its_cursor_anew_when_the_broker_comes_back_with_another_log) {
  start();
  fetched({0, 3}, 3);
  forward.source_lost();
  forward.source_up(log_a);
  forward.pump();
  EXPECT_EQ(source.loads, 1);
  forward.source_lost();
  forward.source_up(log_b);
  forward.pump();
  EXPECT_EQ(source.loads, 2);
}

TEST_F(forwarder_test, starts_where_it_was_put_by_hand) {
  start(stored_cursor{42, ""});
  EXPECT_EQ(source.fetches.back().from, 42u);
}

TEST_F(forwarder_test, counts_what_retention_took) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  out_of_range(25, 30);
  EXPECT_EQ(forward.counters().lost_records, 15u);
  EXPECT_THAT(forward.counters().lost_ranges, ElementsAre(offset_range{10, 25}));
  EXPECT_EQ(source.fetches.back().from, 25u);
  EXPECT_EQ(forward.lag_records(), 5u);
}

TEST_F(forwarder_test, does_not_count_what_was_gone_before_it_began) {
  start();
  out_of_range(25, 30);
  EXPECT_EQ(forward.counters().lost_records, 0u);
  EXPECT_EQ(source.fetches.back().from, 25u);
}

TEST_F(forwarder_test, remembers_only_the_newest_lost_ranges) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  for (offset_t start = 20; start < 1'000; start += 10) out_of_range(start, 2'000);
  EXPECT_EQ(forward.counters().lost_ranges.size(), lost_ranges_kept);
  EXPECT_EQ(forward.counters().lost_ranges.back(), (offset_range{980, 990}));
  EXPECT_EQ(forward.counters().lost_records, 980u);
}

TEST_F(forwarder_test, forwards_another_topic_of_the_name_from_its_start_and_counts_what_the_old_one_lost) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  fetched({10, 14}, 20);
  stored();
  confirm({10, 12}, 70);
  forward.source_lost();
  forward.source_up({"gateway", "incarnation-a", "another-topic-id"});
  forward.pump();
  EXPECT_EQ(source.loads, 2);
  forward.loaded(std::nullopt);
  forward.pump();
  EXPECT_EQ(source.fetches.back().from, 0u);
  EXPECT_EQ(forward.counters().lost_records, 8u);
  EXPECT_THAT(forward.counters().lost_ranges, ElementsAre(offset_range{12, 20}));
  recover({{}, {{0, 74}}});
  fetched({0, 1}, 1);
  EXPECT_EQ(last_stored(), (cursor{"incarnation-a", "another-topic-id", 0, 100, {{0, 74}}}));
}

// The centre would take the offsets that are given out again for records that it has.
TEST_F(forwarder_test, forwards_all_as_another_log_when_the_store_was_set_back) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  out_of_range(2, 7);
  pass(milliseconds(1'000));
  EXPECT_EQ(source.fetches.back().from, 2u);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+1");
  recover({{}, {{0, 80}}});
  fetched({2, 7}, 7);
  stored();
  EXPECT_EQ(sink.sent, (std::vector<offset_t>{2, 3, 4, 5, 6}));
  EXPECT_EQ(sink.senders.back(), (identity{"gateway", "incarnation-a+1", "topic-id"}));
  EXPECT_EQ(forward.counters().lost_records, 0u);
  // A restart goes on as that log, and a second time set back it is a third one.
  forwarder again{{"route", "topic", 0, 100, milliseconds(1'000)}, source, sink, clock};
  again.source_up(log_a);
  again.loaded(stored_cursor{5, encode_metadata({"incarnation-a+1", "topic-id", 5, 5, {}})});
  again.sink_up(pace::normal);
  again.pump();
  EXPECT_EQ(source.fetches.back().from, 5u);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+1");
  again.fetched(source.fetches.back().ticket, {true, 0, 4, {}});
  again.pump();
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+2");
}

TEST_F(forwarder_test, takes_no_report_of_the_old_log_for_one_of_the_log_that_was_set_back) {
  start();
  fetched({0, 3}, 3);
  stored();
  out_of_range(0, 1);
  pass(milliseconds(1'000));
  EXPECT_EQ(sink.recoveries.size(), 1u);  // three are under way: it waits
  confirm({0, 3}, 50);
  out_of_range(0, 1);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+1");
}

TEST_F(forwarder_test, goes_on_from_the_end_when_it_was_put_behind_it_by_hand) {
  start(stored_cursor{10, "by hand"});
  out_of_range(0, 7);
  pass(milliseconds(1'000));
  EXPECT_EQ(source.fetches.back().from, 7u);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a");
  EXPECT_EQ(forward.counters().lost_records, 0u);
}

TEST_F(forwarder_test, sends_again_from_the_cursor_when_the_sink_was_lost) {
  start();
  fetched({0, 4}, 4);
  stored();
  confirm({0, 2}, 50);
  forward.sink_lost();
  EXPECT_FALSE(forward.in_flight());
  forward.sink_up(pace::normal);
  forward.pump();
  const recovery_request& request = sink.recoveries.back().request;
  EXPECT_EQ(request.range, (offset_range{2, 100}));
  EXPECT_THAT(request.from, ElementsAre(destination{0, 52}));
  fetched({0, 4}, 4);
  EXPECT_THAT(sink.sent, ElementsAre(0, 1, 2, 3));  // nothing before it has been looked
  recover({{{2, {0, 52}}}, {{0, 53}}});
  EXPECT_THAT(sink.sent, ElementsAre(0, 1, 2, 3, 3));
}

TEST_F(forwarder_test, ignores_answers_of_before) {
  start();
  const std::uint64_t ticket = source.fetches.back().ticket;
  forward.sink_lost();
  forward.pump();
  forward.fetched(ticket, {false, 0, 3, batch_of({0, 3})});
  forward.confirmed(0, {0, 50});
  forward.recovered(sink.recoveries.back().ticket, {});
  forward.stored();
  forward.pump();
  EXPECT_THAT(log, IsEmpty());
}

TEST_F(forwarder_test, goes_on_within_the_intent_when_the_broker_comes_back) {
  start();
  fetched({0, 2}, 2);
  stored();
  forward.source_lost();
  confirm({0, 2}, 50);
  forward.source_up(log_a);
  forward.pump();
  EXPECT_EQ(source.loads, 1);
  EXPECT_EQ(source.fetches.back().from, 2u);
  pass(milliseconds(1'000));
  EXPECT_EQ(last_stored().offset, 2u);
}

TEST_F(forwarder_test, stores_again_what_was_being_stored_when_the_broker_went) {
  start();
  fetched({0, 2}, 2);
  forward.source_lost();
  forward.source_up(log_a);
  forward.pump();
  EXPECT_THAT(log, ElementsAre("store 0", "store 0"));
  stored();
  EXPECT_THAT(sink.sent, ElementsAre(0, 1));
}

TEST_F(forwarder_test, keeps_a_refused_record_in_the_dead_letter_topic_and_goes_on) {
  sink.refuses = 1;
  start();
  fetched({0, 4}, 4);
  stored();
  EXPECT_THAT(sink.sent, ElementsAre(0));
  EXPECT_THAT(source.dead_letters, ElementsAre("1 body 1: too large"));
  confirm({0, 1}, 50);
  forward.dead_lettered(std::nullopt);
  forward.pump();
  EXPECT_THAT(sink.sent, ElementsAre(0, 2, 3));
  EXPECT_EQ(forward.counters().refused_records, 1u);
  EXPECT_EQ(forward.position(), 2u);
}

TEST_F(forwarder_test, goes_on_when_the_dead_letter_topic_takes_nothing) {
  sink.refuses = 0;
  start();
  fetched({0, 1}, 1);
  stored();
  forward.dead_lettered("store full");
  forward.pump();
  EXPECT_EQ(forward.position(), 1u);
  EXPECT_EQ(forward.counters().refused_records, 1u);
}

TEST_F(forwarder_test, asks_again_for_a_dead_letter_when_the_broker_comes_back) {
  sink.refuses = 0;
  start();
  fetched({0, 1}, 1);
  stored();
  forward.source_lost();
  forward.source_up(log_a);
  forward.pump();
  EXPECT_THAT(source.dead_letters, ElementsAre("0 body 0: too large", "0 body 0: too large"));
}

TEST_F(forwarder_test, goes_one_by_one_after_a_refusal_until_it_is_past_the_suspects) {
  start();
  fetched({0, 3}, 3);
  stored();
  forward.sink_lost();
  forward.sink_up(pace::one_by_one);
  forward.pump();
  recover({{}, {{0, 50}}});
  sink.sent.clear();
  fetched({0, 3}, 3);
  EXPECT_THAT(sink.sent, ElementsAre(0));
  confirm({0, 1}, 50);
  EXPECT_THAT(sink.sent, ElementsAre(0, 1));
  forward.refused(1, refusal_cause::record, "invalid record");
  forward.pump();
  EXPECT_THAT(source.dead_letters, ElementsAre("1 body 1: invalid record"));
  EXPECT_FALSE(forward.past_suspects());
  forward.dead_lettered(std::nullopt);
  forward.pump();
  confirm({2, 3}, 51);
  EXPECT_TRUE(forward.past_suspects());
  EXPECT_EQ(forward.position(), 3u);
}

TEST_F(forwarder_test, sends_a_record_whose_time_is_off_with_the_time_of_its_arrival) {
  const std::int64_t now = clock.wall().count(), in_error = now + 20ll * 365 * 24 * 3'600'000;
  start();
  forward.fetched(source.fetches.back().ticket, {false, 0, 2, batch_of({0, 1}, in_error) + batch_of({1, 2}, now)});
  forward.pump();
  stored();
  ASSERT_EQ(sink.times.size(), 2u);
  EXPECT_EQ(sink.times[0], (scripted_sink::sent_time{now, std::to_string(in_error)}));
  EXPECT_EQ(sink.times[1], (scripted_sink::sent_time{now, ""}));
  EXPECT_EQ(forward.counters().times_corrected, 1u);
  EXPECT_EQ(forward.counters().refused_records, 0u);
}

// Our own clock says nothing: what the destination refuses is not given up, it goes with a time that was taken.
TEST_F(forwarder_test, a_record_refused_for_its_time_is_sent_again_with_another) {
  const std::int64_t good = clock.wall().count(), in_error = good + 20ll * 365 * 24 * 3'600'000;
  clock.trust_wall(false);
  clock.set_wall(milliseconds(5'000));
  start();
  forward.sink_lost();
  forward.sink_up(pace::one_by_one);
  forward.pump();
  recover({{}, {{0, 50}}});
  forward.fetched(source.fetches.back().ticket, {false, 0, 2, batch_of({0, 1}, good) + batch_of({1, 2}, in_error)});
  forward.pump();
  stored();
  confirm({0, 1}, 50);
  EXPECT_EQ(sink.times.back(), (scripted_sink::sent_time{in_error, ""}));
  forward.refused(1, refusal_cause::time, "invalid timestamp");
  forward.pump();
  recover({{}, {{0, 51}}});
  forward.fetched(source.fetches.back().ticket, {false, 0, 2, batch_of({1, 2}, in_error)});
  forward.pump();
  EXPECT_EQ(sink.times.back(), (scripted_sink::sent_time{good, std::to_string(in_error)}));
  // Refused all the same: it is tried again later, and is no dead letter.
  forward.refused(1, refusal_cause::time, "invalid timestamp");
  forward.pump();
  const std::size_t fetches = source.fetches.size();
  pass(milliseconds(9'000));
  EXPECT_EQ(source.fetches.size(), fetches);
  pass(milliseconds(1'000));
  EXPECT_EQ(source.fetches.size(), fetches + 1);
  EXPECT_THAT(source.dead_letters, IsEmpty());
  EXPECT_EQ(forward.counters().refused_records, 0u);
}

TEST_F(forwarder_test, passes_over_a_batch_that_cannot_be_read) {
  start();
  std::string damaged = batch_of({0, 2});
  damaged.back() ^= 1;
  forward.fetched(source.fetches.back().ticket, {false, 0, 3, damaged + batch_of({2, 3})});
  forward.pump();
  stored();
  EXPECT_THAT(sink.sent, ElementsAre(2));
  EXPECT_EQ(forward.counters().refused_records, 2u);
}

TEST_F(forwarder_test, waits_before_it_asks_again_after_an_answer_of_no_use) {
  start();
  forward.fetched(source.fetches.back().ticket, {false, 0, 3, "nonsense"});
  forward.pump();
  EXPECT_EQ(source.fetches.size(), 1u);
  pass(milliseconds(1'000));
  EXPECT_EQ(source.fetches.size(), 2u);
}

TEST_F(forwarder_test, when_stopped_waits_for_what_was_sent_and_closes_the_intent) {
  start();
  fetched({0, 2}, 2);
  stored();
  forward.stop();
  forward.pump();
  EXPECT_FALSE(forward.finished());
  confirm({0, 1}, 50);
  EXPECT_EQ(last_stored(), (cursor{"incarnation-a", "topic-id", 1, 100, {{0, 51}}}));
  stored();
  confirm({1, 2}, 51);
  EXPECT_EQ(last_stored(), (cursor{"incarnation-a", "topic-id", 2, 2, {{0, 52}}}));
  EXPECT_FALSE(forward.finished());
  stored();
  EXPECT_TRUE(forward.finished());
}

TEST_F(forwarder_test, says_how_old_the_oldest_record_is) {
  start();
  EXPECT_FALSE(forward.oldest_timestamp_ms());
  fetched({0, 2}, 2);
  EXPECT_EQ(forward.oldest_timestamp_ms(), 1'000);
  EXPECT_EQ(forward.lag_records(), 2u);
  EXPECT_EQ(forward.state(), "forwarding");
  stored();
  confirm({0, 2}, 50);
  EXPECT_EQ(forward.state(), "caught up");
}

}  // namespace
}  // namespace tidegate::bridge
