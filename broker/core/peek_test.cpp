// Peeking: what is ready is shown in the order of delivery, and nothing changes.
#include <gmock/gmock.h>

#include <random>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class peek : public testing::Test {
 protected:
  struct shown {
    std::string body;
    bool redelivered;
    std::uint32_t deliveries;
    bool operator==(const shown&) const = default;
  };
  std::vector<shown> look(std::string_view name, std::size_t limit = 1'000) {
    std::vector<shown> found;
    queues::message_place place;
    const auto take = [&](const delivery_view& one) {
      found.push_back({std::string(one.message.body), one.redelivered, one.deliveries});
    };
    while (found.size() < limit &&
           broker_.inspecting().peek(*broker_.inspecting().find_queue(name), place, take).value()) {
    }
    return found;
  }
  std::vector<std::string> bodies_of(std::string_view name) {
    std::vector<std::string> found;
    for (const shown& one : look(name)) found.push_back(one.body);
    return found;
  }
  stepping_broker broker_;
};

TEST_F(peek, shows_what_is_ready_and_changes_nothing) {
  broker_.declare_queue("work");
  EXPECT_THAT(look("work"), IsEmpty());
  for (int i = 0; i < 5; ++i) broker_.put("work", std::to_string(i));
  EXPECT_THAT(look("work"), IsEmpty()) << "not yet on flash";
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.pull(consumer, 3);
  broker_.requeue(consumer, 1);
  broker_.commit();
  const std::vector<shown> expected{{"1", true, 1}, {"3", false, 0}, {"4", false, 0}};
  EXPECT_EQ(look("work"), expected);
  EXPECT_EQ(look("work"), expected);
  EXPECT_EQ(broker_.ready("work"), 3u);
  EXPECT_TRUE(broker_->is_idle());
  broker_.reopen_killed();
  EXPECT_THAT(bodies_of("work"), ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_EQ(look("work").at(1).deliveries, 1u);
}

TEST_F(peek, shows_nothing_that_has_expired) {
  broker_.declare_queue("work");
  broker_.put_for("work", "short", "10");
  broker_.put("work", "long");
  broker_.commit();
  broker_.clock.advance(milliseconds(20));
  EXPECT_THAT(bodies_of("work"), ElementsAre("long"));
}

TEST_F(peek, continues_after_a_message_that_has_gone) {
  broker_.declare_queue("work");
  for (int i = 0; i < 4; ++i) broker_.put("work", std::to_string(i));
  broker_.commit();
  queues::message_place place;
  std::string body;
  const auto take = [&](const delivery_view& one) { body = one.message.body; };
  const auto& queue = *broker_.inspecting().find_queue("work");
  ASSERT_TRUE(broker_.inspecting().peek(queue, place, take).value());
  const auto consumer = broker_.consume("work");
  broker_.pull(consumer, 2);
  ASSERT_TRUE(broker_.inspecting().peek(queue, place, take).value());
  EXPECT_EQ(body, "2");
}

TEST_F(peek, shows_the_order_of_delivery) {
  std::mt19937 random(11);
  for (int round = 0; round < 30; ++round) {
    const std::string name = "q" + std::to_string(round);
    broker_.declare_queue(name, [](auto& one) { one.priority_max = 3; });
    for (int i = 0; i < 40; ++i) broker_.put_for(name, std::to_string(i), "", static_cast<std::uint8_t>(random() % 5));
    broker_.commit();
    const auto consumer = broker_.consume(name);
    for (const auto& one : broker_.pull(consumer, 1 + random() % 40)) {
      if (random() % 3 == 0) continue;
      broker_.settle_number(one.number, random() % 2 == 0 ? api::outcome::ack : api::outcome::requeue);
    }
    if (round % 3 == 0) broker_.reopen_closed();
    const auto expected = bodies_of(name);
    EXPECT_EQ(bodies(broker_.pull_all(broker_.consume(name))), expected) << "round " << round;
    broker_.detach(broker_.session());
    broker_.reopen_closed();
  }
}

}  // namespace
}  // namespace tidegate::core
