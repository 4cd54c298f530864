// Invariants: no record is sent before its intent is stored; the cursor moves only over confirmed records; a restart
// sends no record twice and skips none; every record that is skipped is counted.
#include "bridge/forwarder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/scripted_ends.hpp"

namespace tidegate::bridge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct forwarder_test : testing::Test, driven_forwarder {};

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
  // The intent is used up. It is not moved for every few records that are confirmed: each move costs a commit.
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
  EXPECT_EQ(source.fetches.size(), 1u);  // no further fetch before all fetched records are sent
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
  // The earlier intent still covers 12 and 13. A search for them starts after the records that were found.
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
  EXPECT_THAT(sink.sent, ElementsAre(0, 1, 2, 3));  // nothing more before the destination was searched
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
  const stored_cursor found = last_stored_raw();
  forward.source_lost();
  confirm({0, 2}, 50);
  come_back(found);
  EXPECT_FALSE(forward.needs_fresh_sink());
  EXPECT_EQ(source.fetches.back().from, 2u);
  pass(milliseconds(1'000));
  EXPECT_EQ(last_stored().offset, 2u);
}

TEST_F(forwarder_test, stores_again_what_was_being_stored_when_the_broker_went) {
  start();
  fetched({0, 2}, 2);
  forward.source_lost();
  come_back(std::nullopt);
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
  const stored_cursor found = last_stored_raw();
  forward.source_lost();
  come_back(found);
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

// This machine's clock is not trusted: a record refused for its timestamp is sent again with a timestamp that the
// destination has accepted.
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
  // A record that is refused again is tried again later. It is not a dead letter.
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
