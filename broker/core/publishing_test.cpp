// Tests of publishing, from the exchange to the commit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;

class publishing : public testing::Test {
 protected:
  stepping_broker broker_;
};

TEST_F(publishing, the_default_exchange_routes_to_the_queue_of_that_name) {
  broker_.declare_queue("work");
  EXPECT_EQ(broker_.publish("", "work", "m"), api::publish_outcome::stored);
  EXPECT_EQ(broker_.publish("", "nowhere", "m"), api::publish_outcome::unroutable);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 1u);
}

TEST_F(publishing, a_queue_and_a_topic_get_it_in_one_commit) {
  broker_.declare_queue("work");
  broker_.declare_topic("log");
  broker_.bind_queue("amq.topic", "work", "s.#");
  broker_.bind_topic("amq.topic", "log", "*.t");
  broker_.commit();
  const auto before = broker_->commits().figures().commits;
  EXPECT_EQ(broker_.publish("amq.topic", "s.t", "21.5"), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_->commits().figures().commits, before + 1);
  EXPECT_EQ(broker_.ready("work"), 1u);
  ASSERT_EQ(broker_.read("log", 0, 0).size(), 1u);
  EXPECT_EQ(broker_.read("log", 0, 0)[0].body, "21.5");
}

TEST_F(publishing, nothing_is_settled_or_seen_before_the_commit) {
  broker_.declare_queue("work");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.noted().stored.clear();
  broker_.put("work", "m");
  broker_.flush();
  EXPECT_TRUE(broker_.noted().stored.empty());
  EXPECT_TRUE(broker_.pull(consumer).empty());
  broker_.finish();
  EXPECT_THAT(broker_.noted().stored, ElementsAre(broker_.last_token()));
  EXPECT_THAT(bodies(broker_.pull(consumer)), ElementsAre("m"));
}

TEST_F(publishing, an_unknown_exchange_is_named) {
  const auto published = broker_.try_publish("none", "k", "m");
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, errc::not_found);
  EXPECT_EQ(published.error().field, "exchange");
}

TEST_F(publishing, sizes_over_their_limits_are_refused) {
  broker_.declare_queue("work");
  EXPECT_EQ(broker_.try_publish("", std::string(limits::routing_key_bytes + 1, 'k'), "m").error().field, "routing_key");
  EXPECT_EQ(broker_.try_publish("", "work", "m", std::string(limits::partition_key_bytes + 1, 'k')).error().field,
            "key");
  EXPECT_EQ(broker_.try_publish("", "work", std::string(limits::body_bytes + 1, 'b')).error().code, errc::too_large);
  EXPECT_EQ(broker_.publish("", "work", std::string(limits::body_bytes, 'b')), api::publish_outcome::stored);
}

TEST_F(publishing, a_large_message_for_many_targets_is_refused_and_stored_nowhere) {
  for (int i = 0; i < 10; ++i) {
    const std::string name = "q" + std::to_string(i);
    broker_.declare_queue(name);
    broker_.bind_queue("amq.fanout", name);
  }
  EXPECT_EQ(broker_.try_publish("amq.fanout", "", std::string(900'000, 'b')).error().code, errc::too_large);
  broker_.publish("amq.fanout", "", "small");
  broker_.commit();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(broker_.ready("q" + std::to_string(i)), 1u);
}

TEST_F(publishing, a_full_group_holds_publishers_back_until_the_writer_takes_it) {
  broker_.declare_queue("work");
  broker_.commit();
  const std::string body(100'000, 'b');
  while (broker_.publishing().accepts(broker_.session())) broker_.put("work", body);
  EXPECT_EQ(broker_.noted().resumptions, 0);
  broker_.flush();
  EXPECT_TRUE(broker_.publishing().accepts(broker_.session()));
  EXPECT_EQ(broker_.noted().resumptions, 1);
  broker_.commit();
}

TEST_F(publishing, many_small_requests_hold_publishers_back_too) {
  broker_.declare_queue("work");
  broker_.put("work", "m");
  broker_.flush();  // the group is with the writer now
  std::size_t asked = 0;
  for (; broker_.publishing().accepts(broker_.session()); ++asked) broker_.declare_queue("work");
  EXPECT_EQ(asked, limits::receipts_gathering);
  broker_.finish();
  EXPECT_TRUE(broker_.publishing().accepts(broker_.session()));
  EXPECT_EQ(broker_.noted().resumptions, 1);
  EXPECT_EQ(broker_.noted().stored.size(), asked + 2);
}

}  // namespace
}  // namespace tidegate::core
