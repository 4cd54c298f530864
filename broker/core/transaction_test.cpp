// Transactions through the whole of core: all or nothing, whatever fails.
#include <gmock/gmock.h>

#include <random>
#include <set>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class transactions : public testing::Test {
 protected:
  static api::transaction_message to(std::string_view queue, std::string_view body, std::string_view exchange = "") {
    api::transaction_message one;
    one.message.exchange = exchange;
    one.message.routing_key = queue;
    one.message.body = body;
    return one;
  }
  result<void> commit(std::vector<api::transaction_message> messages, std::vector<api::settlement> settlements = {}) {
    messages_ = std::move(messages);
    const auto done = broker_.transacting().commit(messages_, settlements, broker_.next_receipt());
    broker_->tell();
    return done;
  }
  bool is_done() { return !broker_.noted().stored.empty() && broker_.noted().stored.back() == broker_.last_token(); }
  std::vector<std::string> take(std::string_view queue) {
    return bodies(broker_.pull_all(broker_.consume(queue, 0, true)));
  }
  stepping_broker broker_;
  std::vector<api::transaction_message> messages_;
};

TEST_F(transactions, several_messages_come_with_one_commit) {
  for (const std::string name : {"a", "b"}) broker_.declare_queue(name);
  broker_.declare_topic("log");
  broker_.bind_topic("amq.fanout", "log");
  broker_.commit();
  const auto before = broker_.inspecting().status().commits.commits;
  ASSERT_TRUE(commit({to("a", "1"), to("b", "2"), to("a", "3"), to("", "4", "amq.fanout")}));
  EXPECT_FALSE(is_done());
  broker_.commit();
  EXPECT_TRUE(is_done());
  EXPECT_EQ(broker_.inspecting().status().commits.commits, before + 1);
  broker_.reopen_killed();
  EXPECT_THAT(take("a"), ElementsAre("1", "3"));
  EXPECT_THAT(take("b"), ElementsAre("2"));
  EXPECT_EQ(broker_.read("log", 0, 0).size(), 1u);
}

TEST_F(transactions, one_message_that_is_refused_refuses_all) {
  broker_.declare_queue("open");
  broker_.declare_queue("small", [](auto& one) {
    one.messages_max = 2;
    one.overflow = overflow::reject;
  });
  broker_.commit();
  const auto refused = commit({to("open", "1"), to("small", "2"), to("small", "3"), to("small", "4")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::target_full);
  EXPECT_THAT(refused.error().text, HasSubstr("message 4 of the transaction"));
  EXPECT_EQ(commit({to("open", "1"), to("x", "2", "nowhere")}).error().code, errc::not_found);
  broker_.commit();
  EXPECT_EQ(broker_.ready("open"), 0u);
  EXPECT_EQ(broker_.ready("small"), 0u);
  ASSERT_TRUE(commit({to("small", "2"), to("small", "3")}));
  broker_.commit();
  EXPECT_EQ(broker_.ready("small"), 2u);
}

TEST_F(transactions, deliveries_are_settled_with_the_messages) {
  for (const std::string name : {"in", "out"}) broker_.declare_queue(name);
  for (int i = 0; i < 4; ++i) broker_.put("in", std::to_string(i));
  broker_.commit();
  const auto consumer = broker_.consume("in");
  const auto taken = broker_.pull_all(consumer);
  ASSERT_TRUE(commit({to("out", "result")}, {{taken.at(1).number, true, api::outcome::ack},
                                             {taken.at(3).number, false, api::outcome::requeue}}));
  broker_.commit();
  EXPECT_TRUE(is_done());
  EXPECT_EQ(broker_.ready("in"), 1u);
  EXPECT_FALSE(broker_.ack(consumer, 0));
  EXPECT_TRUE(broker_.ack(consumer, 2));
  broker_.reopen_killed();
  EXPECT_THAT(take("out"), ElementsAre("result"));
  EXPECT_EQ(broker_.ready("in"), 2u) << "3, and 2, which was acknowledged without a commit";
}

TEST_F(transactions, a_delivery_that_is_not_there_refuses_all) {
  for (const std::string name : {"in", "out"}) broker_.declare_queue(name);
  broker_.put("in", "a");
  broker_.commit();
  const auto number = broker_.pull_all(broker_.consume("in")).at(0).number;
  using api::outcome;
  EXPECT_EQ(commit({to("out", "1")}, {{number + 1, false, outcome::ack}}).error().code, errc::not_found);
  EXPECT_EQ(commit({to("out", "1")}, {{number + 1, true, outcome::ack}}).error().code, errc::not_found);
  EXPECT_EQ(commit({to("out", "1")}, {{number, false, outcome::ack}, {number, false, outcome::ack}}).error().code,
            errc::not_found)
      << "settled twice";
  broker_.commit();
  EXPECT_EQ(broker_.ready("out"), 0u);
  ASSERT_TRUE(commit({}, {{number, false, outcome::ack}}));
  broker_.commit();
  EXPECT_TRUE(is_done());
}

TEST_F(transactions, say_what_nothing_takes) {
  broker_.declare_queue("a");
  ASSERT_TRUE(commit({to("nobody", "1"), to("a", "2")}));
  EXPECT_TRUE(messages_[0].is_unroutable);
  EXPECT_FALSE(messages_[1].is_unroutable);
  broker_.commit();
  EXPECT_TRUE(is_done());
  EXPECT_EQ(broker_.ready("a"), 1u);
}

TEST_F(transactions, may_ask_that_all_are_taken) {
  broker_.declare_queue("a");
  messages_ = {to("a", "1"), to("nobody", "2")};
  const auto refused = broker_.transacting().commit(messages_, {}, broker_.next_receipt(), true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::not_found);
  broker_.commit();
  EXPECT_EQ(broker_.ready("a"), 0u);
}

TEST_F(transactions, an_empty_one_is_done) {
  ASSERT_TRUE(commit({}));
  broker_.commit();
  EXPECT_TRUE(is_done());
}

TEST_F(transactions, what_is_in_memory_waits_for_what_is_on_flash) {
  broker_.declare_queue("flash");
  broker_.declare_queue("memory", [](auto& one) { one.durability = durability::memory(); });
  broker_.commit();
  ASSERT_TRUE(commit({to("memory", "1"), to("flash", "2")}));
  broker_.flush();
  EXPECT_EQ(broker_.ready("memory"), 0u);
  broker_.commit();
  EXPECT_EQ(broker_.ready("memory"), 1u);
  ASSERT_TRUE(commit({to("memory", "3")}));
  broker_->flush();
  EXPECT_TRUE(is_done()) << "without a commit";
}

TEST_F(transactions, more_bytes_than_one_commit_takes_are_refused) {
  broker_.declare_exchange("all", exchange_type::fanout);
  for (int i = 0; i < 20; ++i) {
    broker_.declare_queue("q" + std::to_string(i));
    broker_.bind_queue("all", "q" + std::to_string(i));
  }
  const std::string body(200'000, 'b');
  const auto refused = commit({to("", body, "all"), to("", body, "all"), to("", body, "all")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::too_large);
  broker_.commit();
  EXPECT_EQ(broker_.ready("q0"), 0u);
}

TEST_F(transactions, delayed_messages_and_priorities) {
  broker_.declare_queue("a", [](auto& one) { one.priority_max = 5; });
  auto later = to("a", "later");
  later.delay = milliseconds(100);
  properties set;
  set.priority = 5;
  const std::string encoded = encode(set);
  auto high = to("a", "high");
  high.message.properties = encoded;
  ASSERT_TRUE(commit({to("a", "low"), later, high}));
  broker_.commit();
  EXPECT_THAT(take("a"), ElementsAre("high", "low"));
  broker_.pass(milliseconds(100));
  EXPECT_THAT(take("a"), ElementsAre("later"));
}

// Trap: moves by transaction from queue to queue, while the writer has no room for one commit in two, and kills: every
// message is in exactly one place.
TEST(transactions_without_room, leave_every_message_in_one_place) {
  bool refuses = false;
  stepping_options options;
  options.refuses_records = [&] { return refuses; };
  stepping_broker broker(options);
  for (const std::string name : {"a", "b"}) {
    broker.declare_queue(name, [](auto& one) { one.delivery_limit = 0; });
  }
  constexpr std::size_t count = 30;
  for (std::size_t i = 0; i < count; ++i) broker.put("a", std::to_string(i));
  broker.commit();
  std::mt19937 random(7);
  std::size_t moved = 0, undone = 0;
  for (int step = 0; step < 600; ++step) {
    const std::string from = random() % 2 == 0 ? "a" : "b", to = from == "a" ? "b" : "a";
    const auto consumer = broker.consume(from, 4);
    const auto taken = broker.pull(consumer);
    std::vector<api::transaction_message> messages;
    std::vector<api::settlement> settlements;
    for (const auto& one : taken) {
      messages.emplace_back().message.routing_key = to;
      messages.back().message.body = one.body;
      settlements.push_back({one.number, false, api::outcome::ack});
    }
    ASSERT_TRUE(broker.transacting().commit(messages, settlements, broker.next_receipt()));
    const bool is_killed = random() % 6 == 0;
    refuses = random() % 2 == 0;
    (refuses ? undone : moved) += taken.size();
    if (!is_killed) broker.commit();
    refuses = false;
    broker.cancel(consumer);
    if (is_killed) broker.reopen_killed();
    ASSERT_EQ(broker.ready("a") + broker.ready("b"), count) << "step " << step;
  }
  EXPECT_GT(moved, 100u);
  EXPECT_GT(undone, 100u);
  std::multiset<std::string> seen;
  for (const std::string name : {"a", "b"}) {
    for (const auto& one : broker.pull_all(broker.consume(name))) seen.insert(one.body);
  }
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(seen.count(std::to_string(i)), 1u) << i;
}

}  // namespace
}  // namespace tidegate::core
