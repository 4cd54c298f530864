// Tests of queues at their bounds: which messages are dropped or refused, and that the counts survive a clean stop and
// a kill.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class queue_bounds : public testing::Test {
 protected:
  void declare(std::uint64_t messages_max, std::uint64_t bytes_max, overflow overflow = overflow::drop_oldest) {
    request_.messages_max = messages_max;
    request_.bytes_max = bytes_max;
    request_.overflow = overflow;
    broker_.defining().declare_queue(request_, broker_.next_receipt()).value();
    broker_.commit();
  }
  void put_many(int from, int end) {
    for (int i = from; i < end; ++i) broker_.put("work", std::to_string(i));
  }
  api::queue_row row() { return broker_.inspecting().list_queues().at(0); }
  std::vector<std::string> drain() {
    const auto consumer = broker_.consume("work");
    const auto taken = broker_.pull_all(consumer);
    for (const auto& one : taken) broker_.ack(consumer, one.offset);
    broker_.cancel(consumer);
    broker_.commit();
    return bodies(taken);
  }

  stepping_broker broker_;
  api::queue_request request_{"work"};
};

TEST_F(queue_bounds, the_oldest_goes_in_the_commit_that_brings_too_much) {
  declare(3, 0);
  put_many(0, 3);
  broker_.commit();
  put_many(3, 5);
  EXPECT_EQ(broker_.ready("work"), 3u);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 3u);
  EXPECT_EQ(row().drops.records, 2u);
  const auto losses = broker_.inspecting().list_losses().value();
  ASSERT_THAT(losses, SizeIs(1));
  EXPECT_EQ(losses[0].name, "work");
  EXPECT_EQ(losses[0].record.reason, store::loss_reason::messages_max);
  EXPECT_EQ(losses[0].record.first, 0u);
  EXPECT_EQ(losses[0].record.end, 2u);
  EXPECT_EQ(losses[0].record.records, 2u);
  EXPECT_EQ(losses[0].record.unread, 2u);
  EXPECT_EQ(losses[0].record.bytes, 2u);
  EXPECT_THAT(drain(), ElementsAre("2", "3", "4"));
}

TEST_F(queue_bounds, a_group_longer_than_the_bound_loses_its_own_oldest) {
  declare(3, 0);
  put_many(0, 10);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 3u);
  broker_.reopen_killed();
  EXPECT_EQ(row().drops.records, 7u);
  EXPECT_THAT(drain(), ElementsAre("7", "8", "9"));
  put_many(10, 12);
  broker_.commit();
  EXPECT_THAT(drain(), ElementsAre("10", "11"));
}

// Dropping adds losses and acknowledgements to the group whose shares are gone through (trap 2 of the design).
TEST_F(queue_bounds, many_queues_at_a_bound_of_one_drop_in_one_group) {
  constexpr int queues = 64, messages = 30;
  request_.messages_max = 1;
  for (int i = 0; i < queues; ++i) {
    request_.name = "q" + std::to_string(i);
    broker_.defining().declare_queue(request_, broker_.next_receipt()).value();
    const auto binding = stepping_broker::binding("amq.fanout", target_kind::queue, request_.name, "");
    broker_.defining().bind(binding, broker_.next_receipt()).value();
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < messages; ++i) broker_.publish("amq.fanout", "", std::to_string(i));
    broker_.commit();
  }
  for (const auto& row : broker_.inspecting().list_queues()) {
    EXPECT_EQ(row.drops.records, 3u * messages - 1) << row.definition->name;
    const auto consumer = broker_.consume(row.definition->name);
    EXPECT_THAT(bodies(broker_.pull_all(consumer)), ElementsAre(std::to_string(messages - 1)));
  }
}

TEST_F(queue_bounds, what_is_out_is_not_counted_until_it_comes_back) {
  declare(3, 0);
  put_many(0, 3);
  broker_.commit();
  const auto consumer = broker_.consume("work");
  EXPECT_THAT(broker_.pull_all(consumer), SizeIs(3));
  put_many(3, 6);
  broker_.commit();
  EXPECT_EQ(row().drops.records, 0u);
  broker_.requeue(consumer, 0);
  broker_.requeue(consumer, 2);
  broker_.commit();
  EXPECT_EQ(row().drops.records, 2u);
  EXPECT_THAT(bodies(broker_.pull_all(consumer)), ElementsAre("3", "4", "5"));
}

TEST_F(queue_bounds, bytes_are_those_of_bodies) {
  declare(0, 30);
  message_view message{"", "work", "key", {{"name", "value"}}, "1234567"};
  for (int i = 0; i < 4; ++i) broker_.publishing().publish(message, {broker_.next_receipt(), std::nullopt, 0}).value();
  broker_.commit();
  EXPECT_EQ(row().ready_bytes, 4 * 7u);
  EXPECT_EQ(row().drops.records, 0u);
  broker_.put("work", "12345");
  broker_.commit();
  EXPECT_EQ(row().ready_bytes, 3 * 7u + 5);
  EXPECT_EQ(broker_.inspecting().list_losses().value().at(0).record.reason, store::loss_reason::bytes_max);
  const auto refused = broker_.try_publish("", "work", std::string(31, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::too_large);
  EXPECT_THAT(refused.error().text, AllOf(HasSubstr("'work'"), HasSubstr("31"), HasSubstr("bytes_max")));
  EXPECT_TRUE(broker_.try_publish("", "work", std::string(30, 'x')));
  broker_.commit();
  EXPECT_EQ(row().ready_bytes, 30u);
  EXPECT_THAT(drain(), ElementsAre(std::string(30, 'x')));
  EXPECT_EQ(row().ready_bytes, 0u);
}

TEST_F(queue_bounds, a_queue_that_rejects_takes_more_when_some_is_consumed) {
  declare(3, 0, overflow::reject);
  broker_.declare_queue("other");
  broker_.bind_queue("amq.fanout", "work");
  broker_.bind_queue("amq.fanout", "other");
  put_many(0, 2);
  broker_.commit();
  put_many(2, 3);
  const auto refused = broker_.try_publish("amq.fanout", "", "both");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::target_full);
  EXPECT_EQ(refused.error().field, "queue");
  EXPECT_THAT(refused.error().text, AllOf(HasSubstr("'work'"), HasSubstr("messages_max")));
  broker_.commit();
  EXPECT_EQ(broker_.ready("other"), 0u);
  EXPECT_EQ(broker_.counts().refused_overflow, 1u);
  const auto consumer = broker_.consume("work", 1);
  EXPECT_THAT(bodies(broker_.pull(consumer)), ElementsAre("0"));
  EXPECT_EQ(broker_.publish("amq.fanout", "", "both"), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_FALSE(broker_.try_publish("", "work", "x"));
  EXPECT_THAT(broker_.inspecting().list_losses().value(), IsEmpty());
  EXPECT_EQ(broker_.ready("work"), 3u);
}

TEST_F(queue_bounds, the_bytes_held_are_known_after_either_end) {
  declare(0, 1 << 20);
  for (int i = 0; i < 500; ++i) broker_.put("work", std::string(static_cast<std::size_t>(i), 'x'));
  broker_.commit();
  const auto consumer = broker_.consume("work");
  auto taken = broker_.pull_all(consumer);
  for (std::size_t i = 0; i < taken.size(); i += 2) broker_.ack(consumer, taken[i].offset);
  broker_.commit();
  std::uint64_t expected = 0;
  for (std::size_t i = 1; i < 500; i += 2) expected += i;
  broker_.reopen_killed();
  EXPECT_EQ(row().ready_bytes, expected);
  broker_.reopen_closed();
  EXPECT_EQ(row().ready_bytes, expected);
  EXPECT_THAT(drain(), SizeIs(250));
  EXPECT_EQ(row().ready_bytes, 0u);
  broker_.reopen_killed();
  EXPECT_EQ(row().ready_bytes, 0u);
}

TEST_F(queue_bounds, a_lowered_bound_takes_effect_with_the_next_tick) {
  declare(0, 0);
  put_many(0, 100);
  broker_.commit();
  request_.messages_max = 10;
  broker_.defining().adopt_queue(request_).value();
  broker_.commit();
  EXPECT_EQ(row().definition->messages_max, 10u);
  broker_->tick();
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 10u);
  broker_.reopen_killed();
  EXPECT_EQ(row().definition->messages_max, 10u);
  EXPECT_EQ(drain().front(), "90");
}

TEST_F(queue_bounds, declaring_again_names_what_differs) {
  declare(3, 500, overflow::reject);
  const auto again = [&](std::uint64_t messages_max, std::uint64_t bytes_max) {
    request_.messages_max = messages_max;
    request_.bytes_max = bytes_max;
    const auto declared = broker_.defining().declare_queue(request_, broker_.next_receipt());
    return declared ? "same" : declared.error().text;
  };
  EXPECT_EQ(again(3, 500), "same");
  EXPECT_EQ(again(0, 0), "same");
  EXPECT_EQ(again(4, 0), "queue 'work' has messages_max 3, not 4");
  EXPECT_EQ(again(0, 400), "queue 'work' has bytes_max 500, not 400");
}

// Publishes, deliveries, acknowledgements and requeues at random, with kills and stops between them, compared with a
// plain model. Messages that were unsettled when the process ended are ready again, and the next tick drops those above
// the bounds.
class queue_life {
 public:
  queue_life(std::uint32_t seed, std::uint64_t messages_max, std::uint64_t bytes_max)
      : random_(seed), messages_max_(messages_max), bytes_max_(bytes_max) {
    api::queue_request request{"work"};
    request.messages_max = messages_max;
    request.bytes_max = bytes_max;
    broker_.defining().declare_queue(request, broker_.next_receipt()).value();
    broker_.commit();
    consumer_ = broker_.consume("work", 20);
  }

  void step() {
    const auto action = random_() % 100;
    if (action < 40) return publish();
    if (action < 60) return take();
    if (action < 85) return settle(action < 75);
    if (action < 98) return commit();
    commit();
    const bool clean = action == 98;
    clean ? broker_.reopen_closed() : broker_.reopen_killed();
    for (const auto& [offset, bytes] : out_) ready_[offset] = bytes;
    out_.clear();
    consumer_ = broker_.consume("work", 20);
    broker_->tick();
    is_touched_ = true;
  }

  void check() {
    commit();
    const auto row = broker_.inspecting().list_queues().at(0);
    std::uint64_t bytes = 0;
    for (const auto& [offset, size] : ready_) bytes += size;
    ASSERT_EQ(row.ready, ready_.size());
    ASSERT_EQ(row.ready_bytes, bytes);
    ASSERT_EQ(row.unsettled, out_.size());
    ASSERT_EQ(row.drops.records, dropped_);
    ASSERT_LE(messages_max_ == 0 ? 0 : row.ready, messages_max_);
    ASSERT_LE(bytes_max_ == 0 ? 0 : row.ready_bytes, bytes_max_);
  }

 private:
  void publish() {
    for (auto left = random_() % 30; left > 0; --left) {
      const std::size_t size = random_() % 200;
      broker_.put("work", std::string(size, 'x'));
      ready_[next_++] = size;
    }
    is_touched_ = true;
  }
  // Commits first, since the broker delivers only durable messages.
  void take() {
    commit();
    for (const auto& one : broker_.pull(consumer_, 1 + random_() % 15)) {
      ASSERT_EQ(one.offset, ready_.begin()->first);
      out_.insert(ready_.extract(ready_.begin()));
    }
  }
  void settle(bool acks) {
    if (out_.empty()) return;
    const auto one = std::next(out_.begin(), static_cast<std::ptrdiff_t>(random_() % out_.size()));
    acks ? broker_.ack(consumer_, one->first) : broker_.requeue(consumer_, one->first);
    if (!acks) ready_.insert(*one);
    out_.erase(one);
    is_touched_ = true;
  }
  void commit() {
    broker_.commit();
    if (!std::exchange(is_touched_, false)) return;
    const auto is_over = [&] {
      std::uint64_t bytes = 0;
      for (const auto& [offset, size] : ready_) bytes += size;
      return (messages_max_ != 0 && ready_.size() > messages_max_) || (bytes_max_ != 0 && bytes > bytes_max_);
    };
    for (; is_over(); ++dropped_) ready_.erase(ready_.begin());
  }

  std::mt19937 random_;
  std::uint64_t messages_max_, bytes_max_;
  stepping_broker broker_;
  consumer_id consumer_{};
  std::map<offset_t, std::uint64_t> ready_, out_;
  offset_t next_ = 0;
  std::uint64_t dropped_ = 0;
  bool is_touched_ = false;
};

TEST(queue_lives, keep_their_bounds) {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    queue_life life(seed, seed % 3 == 0 ? 0 : 40, seed % 3 == 1 ? 0 : 3'000);
    for (int i = 0; i < 400; ++i) {
      life.step();
      if (i % 10 == 0) life.check();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace tidegate::core
