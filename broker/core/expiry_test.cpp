// Expiry through the whole of core: of messages, by their own and by their queue's time to live, wherever they are in
// the queue; and of queues that nobody uses.
#include <gmock/gmock.h>

#include <random>
#include <set>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class expiry : public testing::Test {
 protected:
  std::vector<stepping_broker::delivered> take(std::string_view queue) {
    return broker_.pull_all(broker_.consume(queue, 0, true));
  }
  std::uint64_t lost(store::loss_reason reason) {
    std::uint64_t sum = 0;
    for (const auto& row : broker_.inspecting().list_losses(0, 100).value()) {
      if (row.record.reason == reason) sum += row.record.records;
    }
    return sum;
  }
  void declare_living(std::string_view name, milliseconds time, std::optional<std::string> dead = {}) {
    broker_.declare_queue(name, [&](auto& one) {
      one.time_to_live = time;
      if (!dead) return;
      one.dead_letter_exchange = "";
      one.dead_letter_key = *dead;
    });
    if (dead) broker_.declare_queue(*dead);
    broker_.commit();
  }
  stepping_broker broker_;
};

TEST_F(expiry, by_the_queues_time_to_live) {
  declare_living("work", milliseconds(100));
  broker_.put("work", "a");
  broker_.commit();
  broker_.pass(milliseconds(60));
  broker_.put("work", "b");
  broker_.commit();
  broker_.pass(milliseconds(39));
  EXPECT_EQ(broker_.ready("work"), 2u);
  broker_.pass(milliseconds(1));
  EXPECT_THAT(bodies(take("work")), ElementsAre("b"));
  EXPECT_EQ(lost(store::loss_reason::expired), 1u);
}

TEST_F(expiry, the_lower_one_of_queue_and_message_counts_and_not_only_at_the_head) {
  declare_living("work", milliseconds(100));
  broker_.put_for("work", "long", "1000");
  broker_.put_for("work", "short", "10");
  broker_.put("work", "plain");
  broker_.commit();
  broker_.pass(milliseconds(10));
  EXPECT_EQ(broker_.ready("work"), 2u);
  EXPECT_THAT(bodies(take("work")), ElementsAre("long", "plain"));
  broker_.put_for("work", "long", "1000");
  broker_.commit();
  broker_.pass(milliseconds(100));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(expiry, an_expired_message_is_never_delivered) {
  declare_living("work", milliseconds(100), "dead");
  for (int i = 0; i < 3; ++i) broker_.put("work", std::to_string(i));
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.clock.advance(milliseconds(100));
  EXPECT_THAT(broker_.pull_all(consumer), IsEmpty()) << "although nothing removed them yet";
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_THAT(bodies(take("dead")), ElementsAre("0", "1", "2"));
}

TEST_F(expiry, makes_dead_letters_that_do_not_expire_again_by_their_own_time) {
  declare_living("work", milliseconds(1'000), "dead");
  properties set;
  set.expiration = "10";
  set.content_type = "text/plain";
  broker_.try_publish_with("", "work", "a", set).value();
  broker_.commit();
  broker_.pass(milliseconds(10));
  broker_.pass(milliseconds(5'000));
  const auto dead = take("dead");
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0].deaths.first_reason, death_reason::expired);
  EXPECT_EQ(dead[0].deaths.list.at(0).original_expiration, 10u);
  const auto kept = read_properties(dead[0].properties).value();
  EXPECT_EQ(kept.content_type, "text/plain");
  EXPECT_FALSE(kept.expiration);
}

TEST_F(expiry, counts_while_a_message_is_out_and_is_not_renewed_by_a_requeue) {
  declare_living("work", milliseconds(100), "dead");
  broker_.put("work", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  const auto taken = broker_.pull_all(consumer);
  broker_.pass(milliseconds(200));
  EXPECT_EQ(broker_.ready("dead"), 0u) << "a consumer has it";
  broker_.requeue(consumer, taken.at(0).offset);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_EQ(broker_.ready("dead"), 1u);
}

TEST_F(expiry, a_requeued_message_expires_in_its_place) {
  declare_living("work", milliseconds(100));
  broker_.put("work", "a");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.requeue(consumer, broker_.pull_all(consumer).at(0).offset);
  broker_.cancel(consumer);
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.pass(milliseconds(100));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(expiry, of_queues_in_memory) {
  broker_.declare_queue("work", [](auto& one) {
    one.durability = durability::memory();
    one.time_to_live = milliseconds(10);
  });
  broker_.put("work", "a");
  broker_.commit();
  broker_.pass(milliseconds(10));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(expiry, goes_on_while_the_broker_is_down_as_far_as_time_is_known) {
  declare_living("work", milliseconds(10'000));
  broker_.put("work", "a");
  broker_.reopen_closed();
  broker_.pass(milliseconds(9'000));
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.reopen_killed();
  broker_.pass(milliseconds(1'000));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

// Trap: the wall clock says nothing about how long a message has lived.
TEST_F(expiry, does_not_follow_the_wall_clock) {
  declare_living("work", std::chrono::hours(1));
  broker_.put("work", "a");
  broker_.commit();
  const auto wall = broker_.clock.wall();
  for (const auto to : {milliseconds(0), milliseconds(wall + std::chrono::hours(24 * 3'650)),
                        milliseconds(wall + std::chrono::hours(1)), milliseconds(wall - std::chrono::hours(1))}) {
    for (const bool is_trusted : {false, true}) {
      broker_.clock.set_wall(to);
      broker_.clock.trust_wall(is_trusted);
      broker_.pass(std::chrono::minutes(1));
      ASSERT_EQ(broker_.ready("work"), 1u) << to.count();
    }
  }
  broker_.pass(std::chrono::minutes(52));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(expiry, an_expiration_that_is_no_number_is_refused) {
  broker_.declare_queue("work");
  for (const std::string text : {"", "-1", "1.5", "10s", "4294967296"}) {
    properties set;
    set.expiration = text;
    const auto published = broker_.try_publish_with("", "work", "a", set);
    ASSERT_FALSE(published) << text;
    EXPECT_EQ(published.error().code, errc::precondition);
    EXPECT_EQ(published.error().field, "expiration");
  }
}

TEST_F(expiry, before_the_commit_comes_after_it) {
  broker_.declare_queue("work", [](auto& one) { one.durability = durability::every(std::chrono::seconds(10)); });
  broker_.commit();
  broker_.put_for("work", "a", "10");
  broker_.clock.advance(milliseconds(20));
  broker_->flush();
  EXPECT_EQ(broker_.ready("work"), 0u) << "not on flash yet";
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.pass(milliseconds(50));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(expiry, what_expired_ahead_of_the_cursor_is_no_damage) {
  broker_.declare_queue("work");
  for (int i = 0; i < 3'000; ++i) broker_.put_for("work", std::to_string(i), i % 3 == 0 ? "1000" : "10");
  broker_.commit();
  broker_.pass(milliseconds(10));
  for (int i = 0; i < 5; ++i) broker_.pass(milliseconds(1));
  EXPECT_EQ(broker_.ready("work"), 1'000u);
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("work"), 1'000u);
  EXPECT_THAT(take("work"), SizeIs(1'000));
  broker_.commit();
  EXPECT_EQ(lost(store::loss_reason::expired), 2'000u);
  EXPECT_EQ(lost(store::loss_reason::damaged), 0u);
}

// Random lives, deliveries, requeues and restarts: nothing is delivered late, nothing dies early, all is accounted for.
TEST_F(expiry, of_random_lives) {
  broker_.declare_queue("work", [](auto& one) {
    one.dead_letter_exchange = "";
    one.dead_letter_key = "dead";
    one.delivery_limit = 0;
  });
  broker_.declare_queue("dead");
  broker_.commit();
  std::mt19937 random(11);
  std::int64_t now = 0;
  std::map<std::string, std::int64_t> due;  // of what is in the queue
  std::size_t acknowledged = 0, made = 0;
  for (int step = 0; step < 2'000; ++step) {
    for (int i = 0; i < 3; ++i) {
      const std::int64_t lives = random() % 500 + 1;
      const std::string body = std::to_string(made++);
      broker_.put_for("work", body, std::to_string(lives));
      due[body] = now + lives;
    }
    broker_.commit();
    const auto consumer = broker_.consume("work", 4);
    for (const auto& one : broker_.pull(consumer)) {
      ASSERT_GT(due.at(one.body), now) << "late";
      if (random() % 2 == 0) continue;
      broker_.ack(consumer, one.offset);
      due.erase(one.body);
      ++acknowledged;
    }
    broker_.cancel(consumer);
    if (random() % 50 == 0) broker_.reopen_closed();
    const auto step_ms = static_cast<std::int64_t>(random() % 20);
    now += step_ms;
    broker_.pass(milliseconds(step_ms));
    std::erase_if(due, [&](const auto& one) { return one.second <= now; });
    ASSERT_EQ(broker_.ready("work"), due.size()) << "step " << step;
  }
  broker_.pass(milliseconds(1'000));
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_EQ(broker_.ready("dead") + acknowledged, made);
}

// Trap: one message that lives in each chunk of dead ones must not keep the chunk's room.
TEST(what_expiry_leaves, takes_no_more_than_twice_its_room) {
  stepping_options options;
  options.bytes_max = 64 << 20;
  stepping_broker broker(options);
  broker.declare_queue("work");
  broker.commit();
  const auto used = [&] { return broker.inspecting().status().store.bytes_used; };
  const std::uint64_t empty = used();
  constexpr std::size_t count = 50'000, each = 100;
  for (std::size_t i = 0; i < count; ++i) {
    broker.put_for("work", std::string(100, 'b'), i % each == 0 ? "" : "10");
    if (i % 1'000 == 0) broker.commit();
  }
  broker.commit();
  EXPECT_GT(used() - empty, count * 100 / 2) << "most of it is in the tables";
  for (int i = 0; i < 200 && broker.ready("work") > count / each; ++i) broker.pass(milliseconds(20));
  EXPECT_EQ(broker.ready("work"), count / each);
  broker.reopen_closed();
  for (int i = 0; i < 50; ++i) broker.pass(milliseconds(100));
  constexpr std::uint64_t record_bytes = 100 + 40, ledger_bytes = 100;  // each gap is a row of the loss ledger
  EXPECT_LE(used() - empty, count / each * (2 * record_bytes + 2 * ledger_bytes));
  EXPECT_EQ(broker.pull_all(broker.consume("work")).size(), count / each);
}

// ------------------------------------------------------------------------------------------------------ queues

class queue_expiry : public expiry {
 protected:
  queue_expiry() {
    broker_.declare_queue("q", [](auto& one) { one.expires = milliseconds(100); });
    broker_.commit();
  }
  bool is_there() { return broker_.inspecting().find_queue("q") != nullptr; }
};

TEST_F(queue_expiry, an_unused_queue_is_deleted) {
  broker_.put("q", "a");
  broker_.pass(milliseconds(99));
  EXPECT_TRUE(is_there());
  broker_.pass(milliseconds(1));
  EXPECT_FALSE(is_there());
  broker_.reopen_killed();
  EXPECT_FALSE(is_there());
}

TEST_F(queue_expiry, use_puts_it_off) {
  broker_.pass(milliseconds(99));
  broker_.declare_queue("q");
  broker_.pass(milliseconds(99));
  EXPECT_TRUE(is_there());
  broker_.consuming().get(broker_.session(), "q", true, [](const auto&) { return true; }).value();
  broker_.pass(milliseconds(99));
  EXPECT_TRUE(is_there());
  const auto consumer = broker_.consume("q");
  broker_.pass(milliseconds(1'000));
  EXPECT_TRUE(is_there());
  broker_.cancel(consumer);
  broker_.pass(milliseconds(99));
  EXPECT_TRUE(is_there());
  broker_.pass(milliseconds(1));
  EXPECT_FALSE(is_there());
}

TEST_F(queue_expiry, a_start_counts_as_use) {
  broker_.pass(milliseconds(60));
  broker_.reopen_closed();
  broker_.pass(milliseconds(60));
  EXPECT_TRUE(is_there());
  broker_.pass(milliseconds(60));
  EXPECT_FALSE(is_there());
}

}  // namespace
}  // namespace tidegate::core
