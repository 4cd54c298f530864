// Delayed messages and delayed retries through the whole of core.
#include <gmock/gmock.h>

#include <random>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class delayed : public testing::Test {
 protected:
  delayed() {
    broker_.declare_queue("work");
    broker_.commit();
  }
  std::vector<stepping_broker::delivered> take(std::string_view queue) {
    return broker_.pull_all(broker_.consume(queue, 0, true));
  }
  stepping_broker broker_;
};

TEST_F(delayed, come_when_they_are_due_and_in_time_order) {
  broker_.put_later("work", "third", milliseconds(300));
  broker_.put_later("work", "first", milliseconds(100));
  broker_.put_later("work", "second", milliseconds(200));
  broker_.commit();
  EXPECT_EQ(broker_.noted().stored.back(), broker_.last_token()) << "confirmed before it is due";
  broker_.pass(milliseconds(99));
  EXPECT_EQ(broker_.ready("work"), 0u);
  broker_.pass(milliseconds(1));
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.pass(milliseconds(100));
  broker_.pass(milliseconds(100));
  EXPECT_THAT(bodies(take("work")), ElementsAre("first", "second", "third"));
}

TEST_F(delayed, survive_restarts) {
  for (int i = 0; i < 100; ++i) broker_.put_later("work", std::to_string(i), milliseconds(100 + i));
  broker_.commit();
  broker_.reopen_killed();
  broker_.pass(milliseconds(149));
  EXPECT_EQ(broker_.ready("work"), 50u);
  broker_.reopen_closed();
  broker_.pass(milliseconds(1'000));
  EXPECT_EQ(broker_.ready("work"), 100u);
}

// Main's loop alone has to bring out what waits: nothing else happens after a start.
TEST_F(delayed, come_after_a_start_in_which_nothing_else_happens) {
  broker_.put_later("work", "a", milliseconds(100));
  broker_.commit();
  broker_.reopen_killed();
  std::optional<milliseconds> asked;
  broker_->on_work([&](milliseconds wait) { asked = wait; });
  for (int i = 0; i < 20 && broker_.ready("work") == 0; ++i) {
    ASSERT_TRUE(asked) << "nobody would call again";
    broker_.clock.advance(*std::exchange(asked, std::nullopt));
    broker_->flush();
    while (broker_.storage().is_busy()) broker_.finish();
  }
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_->on_work([](milliseconds) {});
}

// The time that the machine was off counts once a trusted clock has been steady, also if nothing else happens.
TEST_F(delayed, come_after_the_machine_was_off_for_longer) {
  broker_.clock.trust_wall(true);
  broker_.put_later("work", "a", std::chrono::hours(1));
  broker_.commit();
  broker_.clock.reboot(std::chrono::hours(2));
  broker_.reopen_killed();
  std::optional<milliseconds> asked;
  broker_->on_work([&](milliseconds wait) { asked = wait; });
  for (int ticks = 0; ticks < 70; ++ticks) {
    broker_.clock.advance(std::chrono::seconds(10));
    broker_->tick();
    for (int turns = 0; turns < 5 && asked && asked->count() == 0; ++turns) {
      asked.reset();
      broker_->flush();
      while (broker_.storage().is_busy()) broker_.finish();
    }
  }
  broker_->on_work([](milliseconds) {});
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 1u);
}

TEST_F(delayed, are_routed_when_they_are_due) {
  broker_.try_publish_with("amq.fanout", "k", "a", {}, milliseconds(10)).value();
  broker_.declare_queue("later");
  broker_.bind_queue("amq.fanout", "later");
  broker_.commit();
  broker_.pass(milliseconds(10));
  const auto taken = take("later");
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].exchange, "amq.fanout");
  EXPECT_EQ(taken[0].routing_key, "k");
  EXPECT_FALSE(taken[0].redelivered);
}

TEST_F(delayed, that_nothing_takes_are_recorded_as_lost) {
  broker_.try_publish_with("amq.direct", "nobody", "a", {}, milliseconds(10)).value();
  broker_.commit();
  broker_.pass(milliseconds(10));
  const auto losses = broker_.inspecting().list_losses(0, 10).value();
  ASSERT_THAT(losses, SizeIs(1));
  EXPECT_EQ(losses[0].record.reason, store::loss_reason::dead_letter_refused);
}

TEST_F(delayed, live_from_the_time_they_are_due) {
  properties set;
  set.expiration = "50";
  set.priority = 3;
  broker_.try_publish_with("", "work", "a", set, milliseconds(100)).value();
  broker_.commit();
  broker_.pass(milliseconds(100));
  broker_.pass(milliseconds(49));
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.pass(milliseconds(1));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(delayed, refusals) {
  const auto refusal = [&](std::string_view exchange, milliseconds delay) {
    const auto published = broker_.try_publish_with(exchange, "work", "a", {}, delay);
    return published ? std::string("none") : published.error().field;
  };
  EXPECT_EQ(refusal("nowhere", milliseconds(10)), "exchange");
  EXPECT_EQ(refusal("", limits::time_to_live_max + milliseconds(1)), "delay_ms");
  EXPECT_EQ(refusal("", milliseconds(-1)), "delay_ms");
  EXPECT_EQ(refusal("", limits::time_to_live_max), "none");
}

TEST_F(delayed, their_queue_is_the_brokers_own) {
  broker_.put_later("work", "a", milliseconds(1'000));
  broker_.commit();
  EXPECT_EQ(broker_.ready("amq.delayed"), 1u);
  EXPECT_EQ(broker_.try_consume(broker_.session(), "amq.delayed", {}).error().code, errc::not_allowed);
  EXPECT_EQ(broker_.publish("", "amq.delayed", "b"), api::publish_outcome::unroutable);
  EXPECT_EQ(broker_.defining().remove_queue("amq.delayed", broker_.next_receipt()).error().code, errc::not_allowed);
  EXPECT_EQ(
      broker_.defining()
          .bind(stepping_broker::binding("amq.fanout", target_kind::queue, "amq.delayed", ""), broker_.next_receipt())
          .error()
          .code,
      errc::not_allowed);
  EXPECT_EQ(broker_.defining().adopt_queue({"amq.delayed"}).error().code, errc::not_allowed);
}

TEST_F(delayed, many_random_ones_come_once_and_never_early) {
  std::mt19937 random(5);
  std::int64_t now = 0;
  std::map<std::string, std::int64_t> due;
  std::size_t made = 0, came = 0;
  while (made < 3'000 || !due.empty()) {
    for (int i = 0; i < 5 && made < 3'000; ++i) {
      const auto delay = static_cast<std::int64_t>(random() % 1'000 + 1);
      const std::string body = std::to_string(made++);
      broker_.put_later("work", body, milliseconds(delay));
      due[body] = now + delay;
    }
    broker_.commit();
    if (random() % 40 == 0) broker_.reopen_killed();
    const auto step = static_cast<std::int64_t>(random() % 30);
    now += step;
    broker_.pass(milliseconds(step));
    for (const auto& one : take("work")) {
      ASSERT_TRUE(due.contains(one.body)) << one.body;
      ASSERT_LE(due.at(one.body), now);
      due.erase(one.body);
      ++came;
    }
    broker_.commit();
    for (const auto& [body, at] : due) ASSERT_GT(at, now) << body;
  }
  EXPECT_EQ(came, made);
}

// ----------------------------------------------------------------------------------------------------- retries

class retries : public testing::Test {
 protected:
  void declare(const std::function<void(api::queue_request&)>& set = [](auto&) {}) {
    broker_.declare_queue("work", [&](auto& one) {
      one.retry_delay = milliseconds(100);
      one.retry_delay_max = milliseconds(250);
      set(one);
    });
    broker_.put("work", "a");
    broker_.commit();
  }
  // Takes the message and returns it.
  std::optional<stepping_broker::delivered> fail_once() {
    const auto consumer = broker_.consume("work");
    const auto taken = broker_.pull_all(consumer);
    if (taken.empty()) return std::nullopt;
    broker_.requeue(consumer, taken[0].offset);
    broker_.commit();
    broker_.cancel(consumer);
    return taken[0];
  }
  stepping_broker broker_;
};

TEST_F(retries, wait_longer_each_time_up_to_the_bound) {
  declare();
  std::uint32_t deliveries = 0;
  for (const int wait : {100, 200, 250, 250}) {
    const auto taken = fail_once();
    ASSERT_TRUE(taken) << wait;
    EXPECT_EQ(taken->deliveries, deliveries);
    EXPECT_EQ(taken->redelivered, deliveries > 0);
    ++deliveries;
    EXPECT_EQ(broker_.ready("work"), 0u);
    broker_.pass(milliseconds(wait - 1));
    EXPECT_EQ(broker_.ready("work"), 0u) << wait;
    broker_.pass(milliseconds(1));
    EXPECT_EQ(broker_.ready("work"), 1u) << wait;
  }
}

TEST_F(retries, end_at_the_delivery_limit) {
  declare([](auto& one) {
    one.delivery_limit = 2;
    one.dead_letter_exchange = "";
    one.dead_letter_key = "dead";
  });
  broker_.declare_queue("dead");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(fail_once()) << i;
    broker_.pass(milliseconds(250));
  }
  EXPECT_EQ(broker_.ready("work"), 0u);
  const auto dead = broker_.pull_all(broker_.consume("dead"));
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0].deaths.first_reason, death_reason::delivery_limit);
  EXPECT_EQ(dead[0].deliveries, 0u);
}

TEST_F(retries, survive_restarts_and_return_to_a_full_queue) {
  declare([](auto& one) {
    one.messages_max = 1;
    one.overflow = overflow::reject;
  });
  ASSERT_TRUE(fail_once());
  broker_.put("work", "b");
  broker_.commit();
  broker_.reopen_killed();
  broker_.pass(milliseconds(100));
  EXPECT_EQ(broker_.ready("work"), 2u);
}

TEST_F(retries, do_not_lengthen_a_messages_life) {
  declare([](auto& one) { one.time_to_live = milliseconds(150); });
  ASSERT_TRUE(fail_once());
  broker_.pass(milliseconds(100));
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.pass(milliseconds(49));
  EXPECT_EQ(broker_.ready("work"), 1u);
  broker_.pass(milliseconds(1));
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(retries, of_a_queue_in_memory_stay_in_memory) {
  declare([](auto& one) { one.durability = durability::memory(); });
  ASSERT_TRUE(fail_once());
  EXPECT_EQ(broker_.ready("amq.delayed-in-memory"), 1u);
  broker_.pass(milliseconds(100));
  EXPECT_EQ(broker_.ready("work"), 1u);
}

TEST_F(retries, without_room_to_wait_are_ready_at_once) {
  stepping_options options;
  options.bytes_max = 8 << 20;
  stepping_broker full(options);
  full.declare_queue("work", [](auto& one) { one.retry_delay = milliseconds(100); });
  full.commit();
  const std::string body(8'000, 'b');
  while (full.try_publish("", "work", body)) full.commit();
  const auto held = full.ready("work");
  const auto consumer = full.consume("work", 1);
  full.requeue(consumer, full.pull_all(consumer).at(0).offset);
  full.commit();
  EXPECT_EQ(full.ready("work"), held);
  EXPECT_THAT(full.inspecting().list_losses(0, 10).value(), IsEmpty());
}

TEST_F(retries, of_a_deleted_queue_are_recorded_as_lost) {
  declare();
  ASSERT_TRUE(fail_once());
  broker_.defining().remove_queue("work", broker_.next_receipt()).value();
  broker_.commit();
  broker_.pass(milliseconds(100));
  EXPECT_EQ(broker_.ready("amq.delayed"), 0u);
  EXPECT_THAT(broker_.inspecting().list_losses(0, 10).value(), SizeIs(1));
}

}  // namespace
}  // namespace tidegate::core
