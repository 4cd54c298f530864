// Priorities through the whole of core: a lane for each priority in use.
#include <gmock/gmock.h>

#include <deque>
#include <random>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class priorities : public testing::Test {
 protected:
  void declare(const std::function<void(api::queue_request&)>& set = [](auto&) {}) {
    broker_.declare_queue("work", [&](auto& one) {
      one.priority_max = 9;
      one.delivery_limit = 0;
      set(one);
    });
    broker_.commit();
  }
  void put(std::string_view body, std::optional<std::uint8_t> priority) { broker_.put_for("work", body, "", priority); }
  std::vector<std::string> take() { return bodies(broker_.pull_all(broker_.consume("work", 0, true))); }
  stepping_broker broker_;
};

TEST_F(priorities, higher_ones_come_first_and_each_in_its_order) {
  declare();
  put("low 1", {});
  put("high 1", 9);
  put("middle", 5);
  put("low 2", 0);
  put("above counts as the highest", 200);
  broker_.commit();
  EXPECT_THAT(take(), ElementsAre("high 1", "above counts as the highest", "middle", "low 1", "low 2"));
}

TEST_F(priorities, do_not_exist_unless_the_queue_has_them) {
  broker_.declare_queue("plain");
  broker_.put_for("plain", "a", "", 1);
  broker_.put_for("plain", "b", "", 9);
  broker_.commit();
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("plain"))), ElementsAre("a", "b"));
}

TEST_F(priorities, survive_a_kill_with_their_levels) {
  declare();
  put("low", 1);
  put("high", 7);
  broker_.commit();
  broker_.reopen_killed();
  put("higher", 8);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 3u);
  EXPECT_THAT(take(), ElementsAre("higher", "high", "low"));
  broker_.reopen_closed();
  EXPECT_EQ(broker_.ready("work"), 0u);
}

TEST_F(priorities, a_requeued_message_returns_to_its_level_and_place) {
  declare();
  for (const std::string body : {"a", "b"}) put(body, 5);
  put("c", 1);
  broker_.commit();
  const auto consumer = broker_.consume("work", 3);
  const auto taken = broker_.pull_all(consumer);
  ASSERT_THAT(bodies(taken), ElementsAre("a", "b", "c"));
  broker_.cancel(consumer);
  put("d", 5);
  broker_.commit();
  EXPECT_THAT(take(), ElementsAre("a", "b", "d", "c"));
}

TEST_F(priorities, at_a_bound_the_lowest_give_way) {
  declare([](auto& one) { one.messages_max = 2; });
  put("high", 9);
  put("low", 0);
  put("middle", 5);
  broker_.commit();
  EXPECT_THAT(take(), ElementsAre("high", "middle"));
}

TEST_F(priorities, expire_and_die_in_every_level) {
  declare([](auto& one) {
    one.time_to_live = milliseconds(10);
    one.dead_letter_exchange = "";
    one.dead_letter_key = "dead";
  });
  broker_.declare_queue("dead", [](auto& one) { one.priority_max = 3; });
  for (std::uint8_t level = 0; level < 10; ++level) put(std::to_string(level), level);
  broker_.commit();
  broker_.pass(milliseconds(10));
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_EQ(broker_.ready("dead"), 10u);
  EXPECT_EQ(bodies(broker_.pull_all(broker_.consume("dead"))).back(), "0");
}

TEST_F(priorities, are_purged_and_deleted_as_one_queue) {
  declare();
  for (std::uint8_t level = 0; level < 10; ++level) put("m", level);
  broker_.commit();
  EXPECT_EQ(broker_.consuming().purge("work", broker_.next_receipt()).value(), 10u);
  put("m", 4);
  broker_.commit();
  EXPECT_EQ(broker_.defining().remove_queue("work", broker_.next_receipt()).value(), 1u);
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.inspecting().find_queue("work"), nullptr);
}

TEST_F(priorities, of_an_exclusive_queue_cost_no_commit) {
  broker_.declare_queue("mine", [](auto& one) {
    one.exclusive = true;
    one.priority_max = 9;
  });
  const auto before = broker_.inspecting().status().commits.commits;
  broker_.put_for("mine", "a", "", 2);
  broker_.put_for("mine", "b", "", 8);
  broker_.commit();
  EXPECT_EQ(broker_.inspecting().status().commits.commits, before);
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("mine"))), ElementsAre("b", "a"));
}

TEST_F(priorities, of_a_queue_in_memory) {
  declare([](auto& one) { one.durability = durability::memory(); });
  put("a", 2);
  put("b", 8);
  broker_.commit();
  EXPECT_THAT(take(), ElementsAre("b", "a"));
}

// Against a list for each level: random publishes, deliveries, acks, requeues and restarts.
TEST_F(priorities, keep_the_order_of_a_model) {
  declare();
  std::mt19937 random(17);
  std::map<std::uint8_t, std::deque<std::string>, std::greater<>> model;
  int made = 0;
  for (int step = 0; step < 3'000; ++step) {
    for (int i = static_cast<int>(random() % 3); i > 0; --i) {
      const auto level = static_cast<std::uint8_t>(random() % 10);
      const std::string body = std::to_string(made++);
      put(body, level);
      model[level].push_back(body);
    }
    broker_.commit();
    if (random() % 100 == 0) broker_.reopen_killed();
    const auto consumer = broker_.consume("work", 3);
    const auto taken = broker_.pull(consumer);
    const bool acks = random() % 2 == 0;
    std::size_t at = 0;
    for (auto& [level, line] : model) {
      for (std::size_t i = 0; i < line.size() && at < taken.size(); ++i) ASSERT_EQ(taken[at++].body, line[i]);
    }
    for (std::size_t i = 0; acks && i < taken.size(); ++i) {
      // Priorities have streams of their own, so offsets repeat: settle by number.
      ASSERT_TRUE(broker_.settle_number(taken[i].number, api::outcome::ack));
      for (auto& [level, line] : model) {
        if (line.empty()) continue;
        line.pop_front();
        break;
      }
    }
    broker_.cancel(consumer);
  }
  std::vector<std::string> left;
  for (const auto& [level, line] : model) left.insert(left.end(), line.begin(), line.end());
  EXPECT_EQ(take(), left);
}

}  // namespace
}  // namespace tidegate::core
