#include "broker/core/topics/producers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;

class producing : public testing::Test {
 protected:
  producing() {
    broker_.declare_queue("work");
    broker_.commit();
  }
  result<api::publish_outcome> publish(std::uint64_t sequence, std::uint32_t epoch = 1, std::string_view id = "p") {
    return broker_.publish_as({id, epoch, true}, sequence, "work", std::to_string(sequence));
  }
  result<api::publish_outcome> publish_device(std::uint64_t sequence, std::uint32_t epoch) {
    return broker_.publish_as({"d", epoch, false}, sequence, "work", std::to_string(sequence));
  }
  std::uint64_t durable(std::uint32_t epoch = 1, std::string_view id = "p") {
    return broker_.publishing().durable_sequence({id, epoch, true});
  }
  stepping_broker broker_;
};

TEST_F(producing, a_sequence_seen_before_is_confirmed_again_and_not_stored_again) {
  EXPECT_EQ(publish(1).value(), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(publish(1).value(), api::publish_outcome::duplicate);
  broker_.commit();
  EXPECT_EQ(broker_.noted().stored.back(), broker_.last_token());
  EXPECT_EQ(broker_.ready("work"), 1u);
  EXPECT_EQ(broker_.counts().duplicates, 1u);
}

TEST_F(producing, a_duplicate_of_what_gathers_or_flies_is_confirmed_with_it) {
  broker_.noted().stored.clear();
  publish(1).value();
  const auto first = broker_.last_token();
  EXPECT_EQ(publish(1).value(), api::publish_outcome::duplicate);
  broker_.flush();
  EXPECT_EQ(publish(1).value(), api::publish_outcome::duplicate);
  broker_->flush();
  EXPECT_TRUE(broker_.noted().stored.empty());
  broker_.finish();
  broker_.commit();
  EXPECT_THAT(broker_.noted().stored, ElementsAre(first, first + 1, first + 2));
  EXPECT_EQ(broker_.ready("work"), 1u);
}

TEST_F(producing, an_unknown_producer_may_start_anywhere_and_leave_gaps) {
  EXPECT_EQ(durable(), 0u);
  EXPECT_EQ(publish(1'000).value(), api::publish_outcome::stored);
  EXPECT_EQ(publish(1'005).value(), api::publish_outcome::stored);
  EXPECT_EQ(publish(1'003).value(), api::publish_outcome::duplicate);
  EXPECT_EQ(durable(), 0u);
  broker_.commit();
  EXPECT_EQ(durable(), 1'005u);
}

TEST_F(producing, the_last_sequence_survives_a_kill) {
  publish(7).value();
  broker_.commit();
  publish(8).value();
  broker_.reopen_killed();
  EXPECT_EQ(durable(), 7u);
  EXPECT_EQ(publish(7).value(), api::publish_outcome::duplicate);
  EXPECT_EQ(publish(8).value(), api::publish_outcome::stored);
  broker_.reopen_closed();
  EXPECT_EQ(durable(), 8u);
}

TEST_F(producing, a_higher_epoch_starts_anew_and_fences_the_lower) {
  publish(50, 1).value();
  EXPECT_EQ(publish(1, 2).value(), api::publish_outcome::stored);
  EXPECT_EQ(publish(51, 1).error().code, errc::fenced);
  EXPECT_EQ(publish(1, 2).value(), api::publish_outcome::duplicate);
  broker_.commit();
  EXPECT_EQ(durable(1), 0u);
  EXPECT_EQ(durable(2), 1u);
  broker_.reopen_killed();
  EXPECT_EQ(publish(51, 1).error().code, errc::fenced);
}

TEST_F(producing, a_device_draws_epochs_by_chance) {
  publish_device(50, 900).value();
  EXPECT_EQ(publish_device(1, 100).value(), api::publish_outcome::stored);
  EXPECT_EQ(publish_device(1, 100).value(), api::publish_outcome::duplicate);
  EXPECT_EQ(publish_device(2, 900).value(), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 3u);
}

TEST_F(producing, what_is_not_stored_is_not_remembered) {
  EXPECT_EQ(broker_.publish_as({"p", 1, true}, 1, "nowhere", "m").value(), api::publish_outcome::unroutable);
  const std::string large(limits::body_bytes + 1, 'b');
  EXPECT_EQ(broker_.publish_as({"p", 1, true}, 1, "work", large).error().code, errc::too_large);
  EXPECT_EQ(publish(1).value(), api::publish_outcome::stored);
}

TEST_F(producing, silent_for_seven_days_of_uptime_it_is_forgotten) {
  publish(5).value();
  broker_.commit();
  broker_.clock.advance(limits::producer_idle);
  broker_->tick();
  broker_.commit();
  EXPECT_EQ(durable(), 5u);
  broker_.clock.advance(milliseconds(1));
  broker_->tick();
  broker_.commit();
  EXPECT_EQ(durable(), 0u);
  broker_.reopen_killed();
  EXPECT_EQ(durable(), 0u);
  EXPECT_EQ(publish(5).value(), api::publish_outcome::stored);
}

TEST_F(producing, a_wall_clock_that_jumps_makes_no_duplicates) {
  publish(5).value();
  broker_.commit();
  for (const auto jump : {milliseconds(0), broker_.clock.wall() + std::chrono::hours(24 * 3'650)}) {
    broker_.clock.set_wall(jump);
    broker_->tick();
    broker_.commit();
    EXPECT_EQ(publish(5).value(), api::publish_outcome::duplicate);
    broker_.reopen_killed();
    broker_->tick();
    EXPECT_EQ(publish(5).value(), api::publish_outcome::duplicate);
  }
}

TEST_F(producing, the_longest_silent_is_forgotten_when_there_are_too_many) {
  for (std::size_t i = 0; i < limits::producers_count; ++i) {
    publish(1, 1, "p" + std::to_string(i)).value();
    if (i % 1'000 == 0) {
      broker_.commit();
      broker_.clock.advance(milliseconds(1));
    }
  }
  publish(2, 1, "p0").value();
  publish(1, 1, "one more").value();
  broker_.commit();
  EXPECT_EQ(durable(1, "one more"), 1u);
  EXPECT_EQ(durable(1, "p0"), 2u);
  std::size_t known = 0;
  for (std::size_t i = 0; i < limits::producers_count; ++i) known += durable(1, "p" + std::to_string(i)) != 0 ? 1 : 0;
  EXPECT_EQ(known, limits::producers_count - 1);
  broker_.reopen_killed();
  EXPECT_EQ(durable(1, "one more"), 1u);
}

}  // namespace
}  // namespace tidegate::core
