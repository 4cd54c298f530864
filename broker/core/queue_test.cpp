#include "broker/core/queues/queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "broker/core/testing.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::core {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

class queues : public testing::Test {
 protected:
  queues() {
    broker_.declare_queue("work");
    broker_.commit();
  }
  // Messages "0", "1", ...
  void fill(int count) {
    for (int i = 0; i < count; ++i) broker_.put("work", std::to_string(i));
    broker_.commit();
  }
  stepping_broker broker_;
};

TEST_F(queues, deliver_in_order_and_forget_what_is_acknowledged) {
  fill(3);
  const auto consumer = broker_.consume("work");
  const auto taken = broker_.pull(consumer);
  EXPECT_THAT(bodies(taken), ElementsAre("0", "1", "2"));
  EXPECT_THAT(taken, Each(Field(&stepping_broker::delivered::redelivered, false)));
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_EQ(broker_.inspecting().find_queue("work")->figures().unsettled, 3u);
  for (const auto& one : taken) EXPECT_TRUE(broker_.ack(consumer, one.offset));
  broker_.reopen_closed();
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_THAT(broker_.pull(broker_.consume("work")), IsEmpty());
}

TEST_F(queues, tell_a_consumer_once_until_it_has_pulled) {
  const auto consumer = broker_.consume("work");
  EXPECT_EQ(broker_.noted().told[consumer], 0);
  fill(2);
  fill(2);
  EXPECT_EQ(broker_.noted().told[consumer], 1);
  EXPECT_EQ(broker_.pull_all(consumer).size(), 4u);
  fill(1);
  EXPECT_EQ(broker_.noted().told[consumer], 2);
}

TEST_F(queues, give_no_more_than_the_prefetch_until_something_is_settled) {
  fill(5);
  const auto consumer = broker_.consume("work", 2);
  const auto taken = broker_.pull_all(consumer);
  EXPECT_THAT(bodies(taken), ElementsAre("0", "1"));
  EXPECT_THAT(broker_.pull(consumer), IsEmpty());
  const int told = broker_.noted().told[consumer];
  broker_.ack(consumer, taken[0].offset);
  EXPECT_EQ(broker_.noted().told[consumer], told + 1);
  EXPECT_THAT(bodies(broker_.pull_all(consumer)), ElementsAre("2"));
}

TEST_F(queues, unknown_offsets_are_not_settled) {
  fill(1);
  const auto consumer = broker_.consume("work"), other = broker_.consume("work");
  const auto offset = broker_.pull(consumer)[0].offset;
  EXPECT_FALSE(broker_.ack(consumer, offset + 1));
  EXPECT_FALSE(broker_.ack(other, offset));
  EXPECT_FALSE(broker_.ack(consumer_id{999}, offset));
  EXPECT_TRUE(broker_.ack(consumer, offset));
  EXPECT_FALSE(broker_.ack(consumer, offset));
}

TEST_F(queues, put_a_requeued_message_back_to_its_place_with_its_count) {
  fill(4);
  const auto consumer = broker_.consume("work", 3);
  const auto taken = broker_.pull_all(consumer);
  broker_.requeue(consumer, taken[2].offset);
  broker_.requeue(consumer, taken[0].offset);
  EXPECT_EQ(broker_.ready("work"), 3u);
  const auto again = broker_.pull_all(consumer);
  EXPECT_THAT(bodies(again), ElementsAre("0", "2"));
  EXPECT_THAT(again, Each(Field(&stepping_broker::delivered::redelivered, true)));
  EXPECT_THAT(again, Each(Field(&stepping_broker::delivered::deliveries, 1u)));
  broker_.requeue(consumer, taken[0].offset);
  EXPECT_EQ(broker_.pull_all(consumer)[0].deliveries, 2u);
}

TEST_F(queues, tell_other_consumers_of_what_came_back) {
  fill(1);
  const auto first = broker_.consume("work"), second = broker_.consume("work");
  const auto taken = broker_.pull_all(first);
  broker_.pull(second);
  const int told = broker_.noted().told[second];
  broker_.requeue(first, taken[0].offset);
  EXPECT_EQ(broker_.noted().told[second], told + 1);
  EXPECT_THAT(bodies(broker_.pull_all(second)), ElementsAre("0"));
}

TEST_F(queues, discard_drops_and_counts) {
  fill(2);
  const auto consumer = broker_.consume("work");
  broker_.discard(consumer, broker_.pull_all(consumer)[0].offset);
  EXPECT_EQ(broker_.inspecting().list_queues()[0].discarded, 1u);
  broker_.commit();
  broker_.cancel(consumer);
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("work"))), ElementsAre("1"));
}

TEST_F(queues, a_lost_connection_gives_back_what_it_had) {
  fill(3);
  noting_session gone;
  const auto session = broker_.sessions().attach(gone);
  const auto consumer = broker_.consume_as(session, "work");
  EXPECT_EQ(broker_.pull_all(consumer).size(), 3u);
  broker_.ack(consumer, 1);
  const auto other = broker_.consume("work");
  broker_.detach(session);
  EXPECT_EQ(broker_.noted().told[other], 1);
  const auto again = broker_.pull_all(other);
  EXPECT_THAT(bodies(again), ElementsAre("0", "2"));
  EXPECT_THAT(again, Each(Field(&stepping_broker::delivered::redelivered, true)));
  EXPECT_FALSE(broker_.ack(consumer, 0));
}

TEST_F(queues, auto_acknowledged_deliveries_are_gone) {
  fill(3);
  const auto consumer = broker_.consume("work", 1, true);
  EXPECT_EQ(broker_.pull_all(consumer).size(), 3u);
  EXPECT_EQ(broker_.inspecting().find_queue("work")->figures().unsettled, 0u);
  broker_.reopen_closed();
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(queues, a_clean_restart_redelivers_only_what_was_delivered) {
  fill(3);
  const auto consumer = broker_.consume("work", 1);
  broker_.pull_all(consumer);
  broker_.detach(broker_.session());
  broker_.reopen_closed();
  const auto again = broker_.pull_all(broker_.consume("work"));
  EXPECT_THAT(bodies(again), ElementsAre("0", "1", "2"));
  EXPECT_TRUE(again[0].redelivered);
  EXPECT_EQ(again[0].deliveries, 1u);
  EXPECT_FALSE(again[1].redelivered || again[2].redelivered);
}

TEST_F(queues, after_a_kill_what_was_there_may_have_been_delivered) {
  fill(3);
  const auto consumer = broker_.consume("work");
  broker_.ack(consumer, broker_.pull_all(consumer)[1].offset);
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("work"), 2u);
  broker_.put("work", "new");
  broker_.commit();
  const auto again = broker_.pull_all(broker_.consume("work"));
  EXPECT_THAT(bodies(again), ElementsAre("0", "2", "new"));
  EXPECT_TRUE(again[0].redelivered && again[1].redelivered);
  EXPECT_FALSE(again[2].redelivered);
}

TEST_F(queues, counts_survive_a_kill) {
  fill(2);
  const auto consumer = broker_.consume("work");
  const auto taken = broker_.pull_all(consumer);
  broker_.requeue(consumer, taken[1].offset);
  broker_.commit();
  broker_.reopen_killed();
  const auto again = broker_.pull_all(broker_.consume("work"));
  ASSERT_THAT(bodies(again), ElementsAre("0", "1"));
  EXPECT_EQ(again[1].deliveries, 1u);
}

TEST_F(queues, acknowledgements_without_a_commit_are_lost_and_redelivered) {
  fill(1);
  const auto consumer = broker_.consume("work");
  broker_.ack(consumer, broker_.pull_all(consumer)[0].offset);
  broker_.reopen_killed();
  EXPECT_EQ(broker_.pull_all(broker_.consume("work")).size(), 1u);
}

TEST_F(queues, consumers_share_a_backlog_equally) {
  fill(300);
  std::vector<consumer_id> consumers;
  for (int i = 0; i < 3; ++i) consumers.push_back(broker_.consume("work"));
  std::map<consumer_id, std::size_t> shares;
  while (broker_.ready("work") > 0) {
    for (const auto consumer : consumers) shares[consumer] += broker_.pull(consumer).size();
  }
  for (const auto consumer : consumers) EXPECT_EQ(shares[consumer], 100u);
}

TEST_F(queues, consumers_share_what_trickles_in) {
  std::vector<consumer_id> consumers;
  for (int i = 0; i < 4; ++i) consumers.push_back(broker_.consume("work", 10));
  std::map<consumer_id, std::size_t> shares;
  for (int round = 0; round < 100; ++round) {
    fill(8);
    for (const auto consumer : consumers) {
      const auto taken = broker_.pull(consumer);
      shares[consumer] += taken.size();
      for (const auto& one : taken) broker_.ack(consumer, one.offset);
    }
  }
  for (const auto consumer : consumers) EXPECT_EQ(shares[consumer], 200u);
}

TEST_F(queues, a_stalled_consumer_does_not_hold_the_others_back) {
  const auto stalled = broker_.consume("work"), live = broker_.consume("work");
  fill(100);
  EXPECT_EQ(broker_.noted().told[stalled], 1);
  EXPECT_EQ(broker_.pull_all(live).size(), 100u);
}

TEST_F(queues, a_cancelled_consumer_gives_back_and_gets_nothing) {
  fill(2);
  const auto consumer = broker_.consume("work");
  broker_.pull_all(consumer);
  broker_.cancel(consumer);
  EXPECT_THAT(broker_.pull(consumer), IsEmpty());
  EXPECT_EQ(broker_.ready("work"), 2u);
  EXPECT_TRUE(broker_.inspecting().list_queues()[0].consumers == 0);
}

TEST_F(queues, consumers_of_a_connection_are_limited) {
  for (std::size_t i = 0; i < limits::consumers_per_connection; ++i) broker_.consume("work");
  EXPECT_EQ(broker_.consuming().consume(broker_.session(), "work", {}).error().code, errc::limit);
  EXPECT_EQ(broker_.consuming().consume(broker_.session(), "none", {}).error().code, errc::not_found);
}

TEST_F(queues, a_queue_with_consumers_stays) {
  const auto consumer = broker_.consume("work");
  const auto removed = broker_.defining().remove_queue("work", broker_.next_receipt(), {true, false});
  EXPECT_EQ(removed.error().code, errc::precondition);
  broker_.cancel(consumer);
  EXPECT_TRUE(broker_.defining().remove_queue("work", broker_.next_receipt()));
}

TEST_F(queues, a_removed_queue_takes_its_messages_with_it_also_those_on_their_way) {
  broker_.put("work", "old");
  broker_.flush();
  broker_.put("work", "older self");
  broker_.defining().remove_queue("work", broker_.next_receipt()).value();
  EXPECT_EQ(broker_.publish("", "work", "m"), api::publish_outcome::unroutable);
  broker_.declare_queue("work");
  broker_.put("work", "new");
  broker_.commit();
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("work"))), ElementsAre("new"));
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("work"), 1u);
}

TEST_F(queues, order_holds_while_acknowledgements_come_out_of_order) {
  fill(2'000);
  const auto consumer = broker_.consume("work", 100);
  std::vector<std::string> seen;
  while (seen.size() < 2'000) {
    auto taken = broker_.pull_all(consumer);
    for (const auto& one : taken) seen.push_back(one.body);
    for (auto one = taken.rbegin(); one != taken.rend(); ++one) broker_.ack(consumer, one->offset);
    broker_.commit();
  }
  for (int i = 0; i < 2'000; ++i) ASSERT_EQ(seen[static_cast<std::size_t>(i)], std::to_string(i));
}

// Messages that wait in a queue cost disk, not memory.
TEST_F(queues, a_hundred_thousand_messages_take_no_memory) {
  const std::string body(50, 'b');
  for (int i = 0; i < 1'000; ++i) broker_.put("work", body);
  broker_.commit();
  const auto before = ::mallinfo2().uordblks;
  for (int round = 0; round < 99; ++round) {
    for (int i = 0; i < 1'000; ++i) broker_.put("work", body);
    broker_.commit();
  }
  broker_.noted().stored = {};
  EXPECT_EQ(broker_.ready("work"), 100'000u);
  EXPECT_LT(::mallinfo2().uordblks, before + (1u << 20));
  const auto consumer = broker_.consume("work", 1'000);
  std::size_t seen = 0;
  while (broker_.ready("work") > 0) {
    for (const auto& one : broker_.pull_all(consumer)) {
      EXPECT_EQ(one.offset, seen++);
      broker_.ack(consumer, one.offset);
    }
    broker_.commit();
  }
  EXPECT_EQ(seen, 100'000u);
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("work"), 0u);
}

// Messages whose chunk is missing can never be delivered, but the queue counts them as ready, so it has to settle them.
TEST_F(queues, settle_what_is_missing_in_the_store_and_tell_of_it) {
  fill(20'000);
  const auto first = broker_.consume("work", 10);
  for (const auto& one : broker_.pull_all(first)) broker_.ack(first, one.offset);
  store::chunk_place gone{};
  offset_t before = 0;
  broker_.reopen_changed([&](const std::filesystem::path& folder) {
    store::raw_file file(folder);
    const auto chunks = file.rows(&store::tables::chunk);
    ASSERT_GE(chunks.size(), 3u);
    before = store::place_of_chunk_key(chunks.begin()->first).last_offset;
    gone = store::place_of_chunk_key(std::next(chunks.begin())->first);
    file.erase(&store::tables::chunk, std::next(chunks.begin())->first);
  });
  EXPECT_EQ(broker_.ready("work"), 19'990u);
  const auto consumer = broker_.consume("work");
  const auto taken = broker_.pull_all(consumer);
  EXPECT_EQ(taken.size(), 19'990 - (gone.last_offset - before));
  EXPECT_EQ(broker_.ready("work"), 0u);
  broker_.commit();
  const auto losses = broker_.inspecting().list_losses().value();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].record.reason, store::loss_reason::damaged);
  EXPECT_EQ(losses[0].record.first, before + 1);
  EXPECT_EQ(losses[0].record.end, gone.last_offset + 1);
  EXPECT_EQ(losses[0].record.records, gone.last_offset - before);
  for (const auto& one : taken) broker_.ack(consumer, one.offset);
  broker_.reopen_closed();
  EXPECT_EQ(broker_.ready("work"), 0u);
}

// The cursor moves past a damaged chunk. The missing chunk before it must be counted as lost, too.
TEST_F(queues, settle_what_is_missing_before_what_is_damaged) {
  fill(20'000);
  broker_.reopen_changed([&](const std::filesystem::path& folder) {
    store::raw_file file(folder);
    const auto chunks = file.rows(&store::tables::chunk);
    ASSERT_GE(chunks.size(), 4u);
    const auto missing = std::next(chunks.begin()), damaged = std::next(missing);
    file.erase(&store::tables::chunk, missing->first);
    std::string turned = damaged->second;
    turned[store::chunk_header_bytes + record_batch_header_bytes + 5] ^= 1;
    file.put(&store::tables::chunk, damaged->first, turned);
  });
  const auto consumer = broker_.consume("work");
  const auto taken = broker_.pull_all(consumer);
  EXPECT_EQ(broker_.ready("work"), 0u);
  broker_.commit();
  std::uint64_t lost = 0;
  const auto losses = broker_.inspecting().list_losses().value();
  for (const auto& row : losses) lost += row.record.records;
  EXPECT_EQ(taken.size() + lost, 20'000u);
  EXPECT_GT(lost, 0u);
}

TEST_F(queues, keep_no_more_unsettled_than_their_limit) {
  for (int round = 0; round < 110; ++round) fill(1'000);
  std::vector<consumer_id> consumers;
  for (int i = 0; i < 2; ++i) consumers.push_back(broker_.consume("work"));
  for (const auto consumer : consumers) broker_.pull_all(consumer);
  for (const auto consumer : consumers) broker_.pull_all(consumer);
  EXPECT_EQ(broker_.inspecting().find_queue("work")->figures().unsettled, limits::unsettled_per_queue);
  // One settled delivery makes room for one more, for any consumer that has credit.
  const int told = broker_.noted().told[consumers[1]];
  broker_.ack(consumers[0], 0);
  EXPECT_EQ(broker_.noted().told[consumers[1]], told + 1);
  EXPECT_EQ(broker_.pull_all(consumers[1]).size(), 1u);
}

}  // namespace
}  // namespace tidegate::core
