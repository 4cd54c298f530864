#include "bridge/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridge/scripted_ends.hpp"

namespace tidegate::bridge {
namespace {

using testing::ElementsAre;

struct route_test : testing::Test {
  std::vector<std::string> log;
  manual_clock clock;
  std::vector<scripted_source*> sources;
  bridge::route route{
      {"r", "bridge/r", "topic", "kafka", "there", milliseconds(100), milliseconds(1'000), milliseconds(10'000)},
      [this](bridge::route&, std::uint32_t) {
        auto made = std::make_unique<scripted_source>(log);
        sources.push_back(made.get());
        return made;
      },
      clock};
  scripted_sink* sink = nullptr;

  route_test() {
    auto made = std::make_unique<scripted_sink>(log);
    sink = made.get();
    route.use(std::move(made));
  }
  void pass(milliseconds time) {
    clock.advance(time);
    route.tick();
  }
  void recover_all() {
    for (std::uint32_t partition = 0; partition < route.partitions(); ++partition) {
      const auto& call = *(sink->recoveries.end() - route.partitions() + partition);
      route.recovered(call.request.partition, call.ticket, {{}, {{static_cast<std::int32_t>(partition), 0}}});
    }
  }
  // Brings up the source and the sink, and sends `count` records of partition 0.
  void run(offset_t count) {
    route.source_up(log_a, 1);
    route.at(0).loaded(std::nullopt);
    route.opened();
    recover_all();
    fetch(0, count);
    route.at(0).stored();
    route.pump();
  }
  void fetch(std::uint32_t partition, offset_t count) {
    route.at(partition).fetched(sources[partition]->fetches.back().ticket, {false, 0, count, batch_of({0, count})});
    route.pump();
  }
};

TEST_F(route_test, opens_its_sink_when_the_broker_is_there_and_makes_a_forwarder_for_each_partition) {
  EXPECT_EQ(route.status().state, "waiting for the broker");
  route.source_up(log_a, 3);
  EXPECT_THAT(sink->opens, ElementsAre(pace::normal));
  EXPECT_EQ(route.partitions(), 3u);
  EXPECT_EQ(route.status().state, "connecting to the destination");
  route.opened();
  EXPECT_EQ(route.status().state, "open");
}

TEST_F(route_test, takes_up_partitions_that_are_added) {
  run(1);
  route.source_up(log_a, 2);
  EXPECT_EQ(route.partitions(), 2u);
  EXPECT_EQ(sources[1]->loads, 1);
  EXPECT_EQ(sources[0]->loads, 1);
}

// The topic was deleted and declared again, with fewer partitions.
TEST_F(route_test, another_topic_of_the_name_is_another_log) {
  const identity log_again{"gateway", "incarnation-a", "another-topic-id"};
  run(3);
  route.source_up(log_a, 2);
  route.at(1).loaded(std::nullopt);
  route.at(1).watermark(5);
  route.source_lost();
  route.source_up(log_again, 1);
  EXPECT_EQ(route.partitions(), 1u);
  EXPECT_EQ(sink->closes, 1);
  EXPECT_THAT(sink->opens, ElementsAre(pace::normal, pace::normal));
  EXPECT_EQ(sources[0]->loads, 2);
  EXPECT_EQ(sources[1]->loads, 1);
  const route_status status = route.status();
  ASSERT_EQ(status.partitions.size(), 2u);
  EXPECT_EQ(status.partitions[0].counters.lost_records, 3u);
  EXPECT_EQ(status.partitions[1].counters.lost_records, 5u);
  EXPECT_EQ(status.partitions[1].state, "gone with its topic");
  route.stop();
  route.source_up(log_again, 2);  // the new topic may grow as well
  EXPECT_EQ(sources[1]->loads, 2);
}

TEST_F(route_test, opens_a_broken_sink_again_after_a_growing_pause) {
  run(1);
  route.broken("connection refused", false);
  EXPECT_EQ(sink->closes, 1);
  EXPECT_EQ(route.status().state, "backing off");
  EXPECT_EQ(route.status().last_error, "connection refused");
  EXPECT_LE(route.status().retry_in.value(), milliseconds(100));
  pass(milliseconds(100));
  EXPECT_EQ(sink->opens.size(), 2u);
  for (int i = 0; i < 6; ++i) {
    route.broken("connection refused", false);
    pass(milliseconds(1'000));
  }
  route.broken("connection refused", false);
  EXPECT_GE(route.status().retry_in.value(), milliseconds(500));
}

TEST_F(route_test, starts_its_pauses_anew_after_a_confirmation) {
  run(1);
  for (int i = 0; i < 6; ++i) {
    route.broken("connection refused", false);
    pass(milliseconds(1'000));
  }
  route.opened();
  recover_all();
  fetch(0, 1);
  route.confirmed(0, 0, {0, 0});
  EXPECT_EQ(route.status().last_error, "");
  route.broken("connection refused", false);
  EXPECT_LE(route.status().retry_in.value(), milliseconds(100));
}

TEST_F(route_test, closes_a_sink_that_confirms_nothing) {
  run(2);
  pass(milliseconds(9'999));
  route.confirmed(0, 0, {0, 0});
  pass(milliseconds(9'999));
  EXPECT_EQ(sink->closes, 0);
  pass(milliseconds(1));
  EXPECT_EQ(sink->closes, 1);
  EXPECT_THAT(route.status().last_error, testing::StartsWith("nothing was confirmed"));
}

TEST_F(route_test, does_not_judge_a_sink_that_has_nothing_to_confirm) {
  run(1);
  route.confirmed(0, 0, {0, 0});
  pass(milliseconds(100'000));
  EXPECT_EQ(sink->closes, 0);
}

TEST_F(route_test, goes_one_by_one_past_a_refused_record_and_then_back) {
  run(2);
  route.broken("message size too large", true);
  EXPECT_THAT(sink->opens, ElementsAre(pace::normal, pace::one_by_one));
  route.opened();
  recover_all();
  fetch(0, 2);
  route.refused(0, 0, refusal_cause::record, "message size too large");
  route.reported();
  EXPECT_THAT(sources[0]->dead_letters, ElementsAre("0 body 0: message size too large"));
  route.at(0).dead_lettered(std::nullopt);
  route.pump();
  route.confirmed(0, 1, {0, 0});
  pass(milliseconds(50));
  EXPECT_THAT(sink->opens, ElementsAre(pace::normal, pace::one_by_one, pace::normal));
  EXPECT_EQ(route.status().partitions[0].counters.refused_records, 1u);
}

TEST_F(route_test, opens_its_sink_anew_for_a_new_log) {
  run(2);
  route.source_lost();
  route.source_up(log_b, 1);
  EXPECT_EQ(sink->closes, 1);
  EXPECT_EQ(sink->opens.size(), 2u);
  route.confirmed(0, 0, {0, 0});
  EXPECT_EQ(route.status().partitions[0].counters.confirmed_records, 0u);
}

// Another bridge holds the lease: none of our records may arrive while that bridge works.
TEST_F(route_test, closes_its_sink_while_it_may_not_work) {
  run(2);
  route.source_lost();
  route.source_missing("'bridge/r' is held by another");
  route.source_missing("'bridge/r' is held by another");
  EXPECT_EQ(sink->closes, 1);
  EXPECT_EQ(route.status().state, "waiting for the broker");
  EXPECT_EQ(route.status().last_error, "'bridge/r' is held by another");
  route.tick();
  EXPECT_EQ(sink->opens.size(), 1u);
  route.source_up(log_a, 1);
  EXPECT_EQ(sink->opens.size(), 2u);
}

TEST_F(route_test, opens_another_sink_where_a_cursor_was_moved) {
  run(2);
  route.source_lost();
  route.source_up(log_a, 1);
  route.at(0).loaded(stored_cursor{90, encode_metadata({"incarnation-a", "topic-id", 90, 90, {}})});
  route.pump();
  EXPECT_EQ(sink->closes, 1);
  EXPECT_EQ(sink->opens.size(), 2u);
}

TEST_F(route_test, keeps_its_sink_when_the_broker_comes_back) {
  run(2);
  route.source_lost();
  EXPECT_EQ(route.status().partitions[0].state, "waiting for the broker");
  route.source_up(log_a, 1);
  EXPECT_EQ(sink->closes, 0);
}

TEST_F(route_test, asks_again_when_the_destination_went_away_while_nothing_was_under_way) {
  run(1);
  route.confirmed(0, 0, {0, 0});
  route.unreachable("all brokers are down");
  EXPECT_EQ(route.status().state, "backing off");
}

TEST_F(route_test, leaves_the_sink_to_try_by_itself_while_something_is_under_way) {
  run(1);
  route.unreachable("all brokers are down");
  EXPECT_EQ(sink->closes, 0);
  EXPECT_EQ(route.status().state, "destination unreachable");
  route.kick();
  EXPECT_EQ(sink->opens.size(), 2u);
}

TEST_F(route_test, is_kicked_out_of_its_pause) {
  run(1);
  route.broken("connection refused", false);
  route.kick();
  route.tick();
  EXPECT_EQ(sink->opens.size(), 2u);
}

TEST_F(route_test, ends_when_everything_is_confirmed_and_stored) {
  run(1);
  route.stop();
  EXPECT_EQ(sink->flushes, 1);
  EXPECT_FALSE(route.finished());
  route.confirmed(0, 0, {0, 0});
  route.reported();
  route.at(0).stored();
  EXPECT_TRUE(route.finished());
}

}  // namespace
}  // namespace tidegate::bridge
