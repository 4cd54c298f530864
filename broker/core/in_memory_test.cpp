// Tests of durability "memory": messages are never written, are there at once or with the commit that they wait for,
// and end with the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "broker/core/in_memory_testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class in_memory : public testing::Test, protected broker_with_memory {};

TEST_F(in_memory, ten_thousand_messages_are_confirmed_consumed_and_never_written) {
  const auto before = written();
  const consumer_id consumer = broker_.consume("live", 100);
  std::size_t taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    broker_.publish("memory", "", "m" + std::to_string(i));
    if (i % 10 != 0) continue;
    ASSERT_FALSE(turn());
    for (const auto& one : broker_.pull_all(consumer)) {
      EXPECT_EQ(one.body, "m" + std::to_string(taken));
      EXPECT_EQ(one.offset, taken++);
      broker_.ack(consumer, one.offset);
    }
  }
  EXPECT_FALSE(turn());
  EXPECT_EQ(stored(), 10'000u);
  EXPECT_EQ(range().high_watermark, 10'000u);
  EXPECT_EQ(broker_.read("stream", 0, 9'999)[0].body, "m9999");
  EXPECT_EQ(written(), before);
  EXPECT_TRUE(broker_->is_idle());
}

TEST_F(in_memory, a_publish_is_there_when_the_turn_is_over_though_the_writer_is_busy) {
  broker_.put("work", "slow");
  EXPECT_TRUE(turn());
  asked_.clear();
  EXPECT_EQ(broker_.publish("memory", "", "fast"), api::publish_outcome::in_memory);
  EXPECT_THAT(asked_, ElementsAre(0));
  EXPECT_EQ(stored(), 0u);  // never settled within the request
  EXPECT_TRUE(turn());
  EXPECT_EQ(stored(), 1u);
  EXPECT_EQ(broker_.ready("live"), 1u);
  EXPECT_EQ(broker_.ready("work"), 0u);
  broker_.finish();
  EXPECT_EQ(stored(), 2u);
}

TEST_F(in_memory, neither_a_publish_nor_an_acknowledgement_hurries_what_is_written) {
  declare_queue("lazy", durability::every(milliseconds(500)));
  broker_.commit();
  broker_.put("lazy", "m");
  const consumer_id consumer = broker_.consume("live");
  const auto before = written();
  for (int i = 0; i < 49; ++i) {
    broker_.clock.advance(milliseconds(10));
    broker_.put("live", "m");
    ASSERT_FALSE(turn());
    const auto taken = broker_.pull_all(consumer);
    ASSERT_THAT(taken, SizeIs(1));
    broker_.ack(consumer, taken[0].offset);
  }
  EXPECT_EQ(written(), before);
  EXPECT_EQ(asked_.back(), 0);
  EXPECT_FALSE(turn());
  EXPECT_EQ(asked_.back(), 10);
  broker_.clock.advance(milliseconds(10));
  EXPECT_TRUE(turn());
}

TEST_F(in_memory, a_publish_that_is_also_written_is_nowhere_before_its_commit) {
  const consumer_id consumer = broker_.consume("live");
  EXPECT_EQ(broker_.publish("both", "", "m"), api::publish_outcome::stored);
  EXPECT_TRUE(turn());
  EXPECT_THAT(broker_.pull_all(consumer), IsEmpty());
  EXPECT_EQ(stored(), 0u);
  broker_.finish();
  EXPECT_EQ(stored(), 1u);
  EXPECT_THAT(bodies(broker_.pull_all(consumer)), ElementsAre("m"));
  EXPECT_EQ(broker_.noted().told[consumer], 1);
}

TEST_F(in_memory, the_order_of_a_queue_holds_whatever_waits_for_a_commit) {
  broker_.publish("both", "", "1");
  broker_.put("live", "2");  // after the open group
  turn();
  broker_.put("live", "3");  // after the group with the writer
  broker_.publish("memory", "", "4");
  turn();
  EXPECT_EQ(broker_.ready("live"), 0u);
  EXPECT_EQ(range().high_watermark, 0u);
  EXPECT_EQ(stored(), 0u);
  const auto commits = broker_->commits().figures().commits;
  broker_.finish();
  // No commit was made for the messages after the first.
  EXPECT_FALSE(broker_.storage().is_busy());
  EXPECT_EQ(broker_->commits().figures().commits, commits + 1);
  EXPECT_EQ(stored(), 4u);
  EXPECT_EQ(range().high_watermark, 1u);
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("live"))), ElementsAre("1", "2", "3", "4"));
  broker_.put("live", "5");
  EXPECT_FALSE(turn());
  EXPECT_EQ(stored(), 5u);
}

TEST_F(in_memory, a_producers_messages_wait_for_those_before_them) {
  const api::producer_ref producer{"p", 1};
  broker_.publish_as(producer, 1, "work", "1").value();
  turn();
  broker_.publish_as(producer, 2, "live", "2").value();
  turn();
  EXPECT_EQ(stored(), 0u);
  EXPECT_EQ(broker_.publishing().durable_sequence(producer), 0u);
  broker_.commit();
  EXPECT_EQ(stored(), 2u);
  EXPECT_EQ(broker_.publishing().durable_sequence(producer), 2u);
}

TEST_F(in_memory, a_sequence_is_kept_as_long_as_its_message) {
  const api::producer_ref producer{"p", 1};
  const auto before = written();
  EXPECT_EQ(broker_.publish_as(producer, 1, "live", "1").value(), api::publish_outcome::in_memory);
  turn();
  EXPECT_EQ(broker_.publish_as(producer, 1, "live", "1").value(), api::publish_outcome::duplicate);
  turn();
  EXPECT_EQ(stored(), 2u);
  EXPECT_EQ(broker_.ready("live"), 1u);
  EXPECT_EQ(written(), before);
  EXPECT_EQ(broker_.publishing().durable_sequence(producer), 1u);
  broker_.reopen_closed();
  EXPECT_EQ(broker_.publishing().durable_sequence(producer), 0u);
  EXPECT_EQ(broker_.publish_as(producer, 1, "live", "1").value(), api::publish_outcome::in_memory);
}

TEST_F(in_memory, messages_are_given_back_counted_and_limited_as_elsewhere) {
  for (int i = 0; i < 10; ++i) broker_.put("live", std::to_string(i));
  turn();
  const consumer_id first = broker_.consume("live", 4);
  EXPECT_THAT(bodies(broker_.pull_all(first)), ElementsAre("0", "1", "2", "3"));
  broker_.requeue(first, 1);
  broker_.ack(first, 2);
  broker_.discard(first, 3);
  turn();
  const consumer_id second = broker_.consume("live");
  const auto taken = broker_.pull_all(second);
  ASSERT_THAT(taken, SizeIs(7));
  EXPECT_EQ(taken[0].body, "1");
  EXPECT_TRUE(taken[0].redelivered);
  EXPECT_EQ(taken[0].deliveries, 1u);
  EXPECT_FALSE(taken[1].redelivered);
  broker_.cancel(second);
  turn();
  EXPECT_EQ(broker_.ready("live"), 7u);
  EXPECT_EQ(broker_.inspecting().list_queues()[0].unsettled, 1u);
  EXPECT_EQ(broker_.inspecting().list_queues()[0].discarded, 1u);
  const consumer_id third = broker_.consume("live", 0, true);
  EXPECT_THAT(broker_.pull_all(third), SizeIs(7));
  broker_.ack(first, 0);
  turn();
  EXPECT_EQ(use().bytes, 0u);
  EXPECT_TRUE(broker_->is_idle());
}

TEST_F(in_memory, after_a_restart_definitions_are_there_and_messages_are_not) {
  for (const bool is_clean : {true, false}) {
    broker_.publish("memory", "", "gone");
    broker_.publish("memory", "", "gone");
    broker_.grouping()
        .commit_offset("group", "stream", 0, range().high_watermark + 1, "meta", broker_.next_receipt())
        .value();
    broker_.commit();
    const offset_t end = range().high_watermark;
    if (is_clean) broker_.reopen_closed();
    if (!is_clean) broker_.reopen_killed();
    listen();
    EXPECT_EQ(broker_.ready("live"), 0u);
    EXPECT_EQ(to_text(broker_.inspecting().list_queues()[0].definition->durability), "memory");
    EXPECT_EQ(to_text(broker_.inspecting().list_topics()[0].definition->durability), "memory");
    EXPECT_THAT(broker_.inspecting().routes().bindings(), SizeIs(4));
    EXPECT_EQ(broker_.grouping().committed("group", "stream", 0).value()->metadata, "meta");
    EXPECT_EQ(range().log_start, range().high_watermark);
    EXPECT_GE(range().high_watermark, end);
    EXPECT_EQ(range().high_watermark == end, is_clean);
    const auto old = broker_.reading().fetch("stream", 0, end - 1, 1'000).value();
    EXPECT_TRUE(old.out_of_range);
    EXPECT_EQ(old.log_start, range().log_start);
    EXPECT_EQ(broker_.inspecting().list_groups()[0].lag, 0u);
    // Offsets have to be reserved by a commit before the first one is used.
    const std::size_t before = stored();
    broker_.publish("memory", "", "new");
    EXPECT_TRUE(turn());
    broker_.finish();
    EXPECT_EQ(stored(), before + 1);
    broker_.publish("memory", "", "new");
    EXPECT_FALSE(turn());
    EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("live"))), ElementsAre("new", "new"));
    EXPECT_GE(broker_.read("stream", 0, range().log_start)[0].offset, end);
  }
}

TEST_F(in_memory, keyless_messages_go_around_the_partitions) {
  EXPECT_TRUE(broker_.defining().adopt_topic({"stream", 3, 0, {}, 0, overflow::drop_oldest, {}, durability::memory()}));
  broker_.commit();
  for (int i = 0; i < 9; ++i) broker_.publish("memory", "", "m"), turn();
  const auto topics = broker_.inspecting().list_topics();
  for (const auto& partition : topics[0].partitions) EXPECT_EQ(partition.high_watermark, 3u);
}

TEST_F(in_memory, a_batch_is_produced_watched_and_found_by_time) {
  const auto stream = broker_.reading().watch(broker_.session(), "stream", 0).value();
  batch_builder builder;
  for (int i = 0; i < 5; ++i) builder.add(record_view{static_cast<offset_t>(i), 1'000 + i, {}, "p", {}});
  const auto before = written();
  EXPECT_EQ(broker_.publishing().produce("stream", 0, builder.finish(), broker_.next_receipt()).value(), 0u);
  EXPECT_THAT(broker_.noted().changes, IsEmpty());
  EXPECT_FALSE(turn());
  EXPECT_THAT(broker_.noted().changes, ElementsAre(stream));
  EXPECT_EQ(stored(), 1u);
  EXPECT_EQ(broker_.reading().find_time("stream", 0, 1'003).value(), 3u);
  EXPECT_EQ(broker_.publish("memory", "", "m"), api::publish_outcome::in_memory);
  turn();
  EXPECT_EQ(broker_.read("stream", 0, 0).size(), 6u);
  EXPECT_EQ(written(), before);
}

TEST_F(in_memory, connections_wait_for_the_turn_and_are_told_to_go_on) {
  while (broker_.publishing().accepts(broker_.session())) broker_.publish("memory", "", std::string(100'000, 'b'));
  EXPECT_EQ(broker_.noted().resumptions, 0);
  EXPECT_FALSE(turn());
  EXPECT_TRUE(broker_.publishing().accepts(broker_.session()));
  EXPECT_EQ(broker_.noted().resumptions, 1);
}

TEST_F(in_memory, one_is_usable_in_the_group_that_makes_it_and_gone_when_deleted) {
  declare_queue("new", durability::memory());
  broker_.put("new", "m");
  EXPECT_TRUE(turn());
  broker_.put("new", "n");
  EXPECT_EQ(stored(), 0u);
  broker_.commit();
  EXPECT_EQ(stored(), 3u);
  EXPECT_EQ(broker_.ready("new"), 2u);
  broker_.put("new", "on its way");
  broker_.defining().remove_queue("new", broker_.next_receipt()).value();
  broker_.commit();
  EXPECT_EQ(use().bytes, 0u);
  EXPECT_EQ(stored(), 5u);
}

// Random requests and steps: whatever waits for which commit, each queue receives each of its messages once, in the
// order of publishing.
TEST_F(in_memory, order_holds_by_the_dice) {
  std::mt19937 random(3);
  declare_queue("other", durability::memory());
  broker_.defining().declare_queue({"last", durability::memory(), 10}, broker_.next_receipt()).value();
  for (const char* const queue : {"other", "last"}) broker_.bind_queue("both", queue);
  broker_.bind_queue("memory", "last");
  broker_.commit();
  broker_.noted().stored.clear();
  std::map<std::string, std::vector<std::string>> expected;
  const std::map<std::string, std::vector<std::string>> routes{
      {"both", {"live", "work", "other", "last"}}, {"memory", {"live", "last"}}, {"", {"other"}}};
  const api::producer_ref producer{"p", 1};
  std::uint64_t published = 0, sequence = 0;
  for (int step = 0; step < 20'000; ++step) {
    switch (random() % 8) {
      case 0: broker_->flush(); break;
      case 1: broker_.finish(); break;
      case 2: broker_.clock.advance(milliseconds(random() % 30)); break;
      default: {
        const auto route = std::next(routes.begin(), static_cast<int>(random() % 3));
        message_view message;
        const std::string body = std::to_string(published++);
        message.exchange = route->first;
        message.routing_key = "other";
        message.body = body;
        api::publish_request request{broker_.next_receipt(), std::nullopt, 0};
        if (random() % 2 == 0) {
          request.producer = producer;
          request.sequence = ++sequence;
        }
        ASSERT_TRUE(broker_.publishing().publish(message, request));
        for (const std::string& queue : route->second) expected[queue].push_back(body);
      }
    }
  }
  broker_.commit();
  EXPECT_EQ(stored(), published);
  EXPECT_TRUE(broker_->is_idle());
  auto& last = expected["last"];
  EXPECT_EQ(broker_.inspecting().list_queues()[0].drops.records, last.size() - 10);
  last.erase(last.begin(), last.end() - 10);
  for (const auto& [queue, wanted] : expected) {
    EXPECT_EQ(bodies(broker_.pull_all(broker_.consume(queue, 0, true))), wanted) << queue;
  }
  broker_.defining().remove_topic("stream", broker_.next_receipt()).value();
  broker_.commit();
  EXPECT_EQ(use().bytes, 0u);
}

}  // namespace
}  // namespace tidegate::core