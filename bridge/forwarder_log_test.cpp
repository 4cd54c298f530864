// Invariants: the forwarder knows which log its offsets belong to and its position in that log, when the topic, the
// store or the cursor was replaced, and when retention has dropped records that were not forwarded yet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/forwarder.hpp"
#include "bridge/scripted_ends.hpp"

namespace tidegate::bridge {
namespace {

using testing::ElementsAre;

struct forwarder_log_test : testing::Test, driven_forwarder {};

TEST_F(forwarder_log_test, starts_a_new_incarnation_at_its_start) {
  start(stored_cursor{10, encode_metadata({"incarnation-b", "topic-id", 10, 110, {{0, 70}}})});
  EXPECT_EQ(source.fetches.back().from, 0u);
  EXPECT_TRUE(sink.recoveries.back().request.range.empty());
  EXPECT_EQ(forward.counters().lost_records, 0u);
}

TEST_F(forwarder_log_test, reads_its_cursor_anew_when_the_broker_comes_back) {
  start();
  fetched({0, 3}, 3);
  forward.source_up(log_a);  // without a source_lost() before
  forward.pump();
  EXPECT_EQ(source.loads, 1);
  forward.source_lost();
  forward.source_up(log_a);
  forward.pump();
  EXPECT_EQ(source.loads, 2);
  forward.source_lost();
  forward.source_up(log_b);
  forward.pump();
  EXPECT_EQ(source.loads, 3);
}

// Another bridge of the same name held the lease in between.
TEST_F(forwarder_log_test, goes_on_where_another_bridge_has_come) {
  start();
  fetched({0, 3}, 3);
  stored();
  confirm({0, 3}, 50);
  pass(milliseconds(1'000));
  stored();
  forward.source_lost();
  come_back(stored_cursor{90, encode_metadata({"incarnation-a", "topic-id", 90, 190, {{0, 140}}})});
  renew_sink();
  EXPECT_EQ(source.fetches.back().from, 90u);
  EXPECT_EQ(sink.recoveries.back().request.range, (offset_range{90, 190}));
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a");
  recover({{{90, {0, 141}}}, {{0, 142}}});
  fetched({90, 92}, 92);
  EXPECT_EQ(sink.sent.back(), 91u);
  EXPECT_EQ(forward.counters().duplicates_avoided, 1u);
}

// The log may have grown past the cursor by the time the broker is back. Its older cursor shows the set-back.
TEST_F(forwarder_log_test, an_older_cursor_than_the_one_on_flash_tells_that_the_store_was_set_back) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  fetched({10, 12}, 12);
  stored();
  confirm({10, 12}, 70);
  pass(milliseconds(1'000));
  stored();
  forward.source_lost();
  come_back(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 110, {{0, 70}}})});
  renew_sink();
  EXPECT_EQ(source.fetches.back().from, 0u);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+1");
}

TEST_F(forwarder_log_test, an_answer_that_was_lost_with_the_connection_is_no_move) {
  start();
  fetched({0, 3}, 3);
  const stored_cursor asked = last_stored_raw();
  forward.source_lost();
  come_back(asked);
  EXPECT_FALSE(forward.needs_fresh_sink());
  fetched({0, 3}, 3);
  EXPECT_THAT(sink.sent, ElementsAre(0, 1, 2));
}

TEST_F(forwarder_log_test, starts_where_it_was_put_by_hand) {
  start(stored_cursor{42, ""});
  EXPECT_EQ(source.fetches.back().from, 42u);
}

TEST_F(forwarder_log_test, counts_what_retention_took) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  out_of_range(25, 30);
  EXPECT_EQ(forward.counters().lost_records, 15u);
  EXPECT_THAT(forward.counters().lost_ranges, ElementsAre(offset_range{10, 25}));
  EXPECT_EQ(source.fetches.back().from, 25u);
  EXPECT_EQ(forward.lag_records(), 5u);
}

TEST_F(forwarder_log_test, does_not_count_what_was_gone_before_it_began) {
  start();
  out_of_range(25, 30);
  EXPECT_EQ(forward.counters().lost_records, 0u);
  EXPECT_EQ(source.fetches.back().from, 25u);
}

TEST_F(forwarder_log_test, remembers_only_the_newest_lost_ranges) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  for (offset_t start = 20; start < 1'000; start += 10) out_of_range(start, 2'000);
  EXPECT_EQ(forward.counters().lost_ranges.size(), lost_ranges_kept);
  EXPECT_EQ(forward.counters().lost_ranges.back(), (offset_range{980, 990}));
  EXPECT_EQ(forward.counters().lost_records, 980u);
}

TEST_F(forwarder_log_test, forwards_another_topic_of_the_name_from_its_start_and_counts_what_the_old_one_lost) {
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

// The centre would mistake records at offsets assigned a second time for records that it already has.
TEST_F(forwarder_log_test, forwards_all_as_another_log_when_the_store_was_set_back) {
  start(stored_cursor{10, encode_metadata({"incarnation-a", "topic-id", 10, 10, {{0, 70}}})});
  out_of_range(2, 7);
  renew_sink();
  pass(milliseconds(1'000));
  EXPECT_EQ(source.fetches.back().from, 2u);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+1");
  recover({{}, {{0, 80}}});
  fetched({2, 7}, 7);
  stored();
  EXPECT_EQ(sink.sent, (std::vector<offset_t>{2, 3, 4, 5, 6}));
  EXPECT_EQ(sink.senders.back(), (identity{"gateway", "incarnation-a+1", "topic-id"}));
  EXPECT_EQ(forward.counters().lost_records, 0u);
  // After a restart the records are still sent as that log; a second set-back makes a third log.
  forwarder again{{"route", "topic", 0, 100, milliseconds(1'000)}, source, sink, clock};
  again.source_up(log_a);
  again.loaded(stored_cursor{5, encode_metadata({"incarnation-a+1", "topic-id", 5, 5, {}})});
  again.sink_up(pace::normal);
  again.pump();
  EXPECT_EQ(source.fetches.back().from, 5u);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+1");
  again.fetched(source.fetches.back().ticket, {true, 0, 4, {}});
  again.sink_lost();
  again.sink_up(pace::normal);
  again.pump();
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+2");
}

TEST_F(forwarder_log_test, takes_no_report_of_the_old_log_for_one_of_the_log_that_was_set_back) {
  start();
  fetched({0, 3}, 3);
  stored();
  out_of_range(0, 1);
  confirm({0, 3}, 50);  // the three records that were in flight
  pass(milliseconds(1'000));
  EXPECT_EQ(sink.recoveries.size(), 1u);
  EXPECT_EQ(forward.position(), 0u);
  renew_sink();
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a+1");
}

TEST_F(forwarder_log_test, goes_on_from_the_end_when_it_was_put_behind_it_by_hand) {
  start(stored_cursor{10, "by hand"});
  out_of_range(0, 7);
  pass(milliseconds(1'000));
  EXPECT_EQ(source.fetches.back().from, 7u);
  EXPECT_EQ(sink.recoveries.back().request.source.incarnation, "incarnation-a");
  EXPECT_EQ(forward.counters().lost_records, 0u);
  // From here on its position is no longer the one set by hand.
  recover({{}, {{0, 50}}});
  fetched({7, 20}, 20);
  stored();
  out_of_range(0, 12);
  EXPECT_TRUE(forward.needs_fresh_sink());
}

}  // namespace
}  // namespace tidegate::bridge
