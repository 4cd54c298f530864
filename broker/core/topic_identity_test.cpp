// Tests that a topic is identified by its UUID, since its offsets mean nothing in a topic that was declared later under
// the same name. Also tests which groups a protected name stands for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class topic_identity : public testing::Test {
 protected:
  void declare(std::vector<std::string> protect = {}, overflow overflow = overflow::drop_oldest) {
    api::topic_request request{"log"};
    request.retention_bytes = 1 << 20;
    request.overflow = overflow;
    request.protect = std::move(protect);
    broker_.defining().declare_topic(request, broker_.next_receipt()).value();
    broker_.bind_topic("amq.topic", "log", "#");
    broker_.commit();
  }
  void append(int count, std::size_t body_bytes = 1) {
    for (int i = 0; i < count; ++i) broker_.publish("amq.topic", "k", std::string(body_bytes, 'b'));
    broker_.commit();
  }
  void remove() {
    broker_.defining().remove_topic("log", broker_.next_receipt()).value();
    broker_.commit();
  }
  void commit_offset(std::string_view group, offset_t offset) {
    broker_.grouping().commit_offset(group, "log", 0, offset, "", broker_.next_receipt()).value();
    broker_.commit();
  }
  std::string id() { return broker_.inspecting().find_topic("log")->definition().uuid; }
  stepping_broker broker_;
};

template <class Value>
void expect_another_topic(const result<Value>& asked) {
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, errc::precondition);
  EXPECT_EQ(asked.error().field, "topic_id");
}

TEST_F(topic_identity, whoever_means_the_old_one_is_refused) {
  declare();
  append(3);
  const std::string old = id();
  EXPECT_TRUE(broker_.reading().fetch({"log", old}, 0, 0, 1'000));
  remove();
  declare();
  append(1);
  EXPECT_NE(id(), old);
  expect_another_topic(broker_.reading().fetch({"log", old}, 0, 0, 1'000));
  expect_another_topic(broker_.reading().range({"log", old}, 0));
  expect_another_topic(broker_.reading().find_time({"log", old}, 0, 0));
  expect_another_topic(broker_.reading().watch(broker_.session(), {"log", old}, 0));
  expect_another_topic(broker_.grouping().committed("group", {"log", old}, 0));
  expect_another_topic(broker_.grouping().commit_offset("group", {"log", old}, 0, 2, "", broker_.next_receipt()));
  EXPECT_EQ(broker_.grouping().committed("group", {"log", id()}, 0).value(), std::nullopt);
  EXPECT_EQ(broker_.reading().fetch({"log", id()}, 0, 0, 1'000).value().high_watermark, 1u);
}

TEST_F(topic_identity, what_a_group_had_not_read_of_a_deleted_topic_is_a_loss) {
  declare();
  append(5);
  commit_offset("bridge/readings", 2);
  remove();
  broker_.reopen_closed();
  const auto losses = broker_.inspecting().list_losses().value();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].kind, "topic");
  EXPECT_EQ(losses[0].name, "log");
  EXPECT_EQ(losses[0].partition, 0u);
  EXPECT_EQ(losses[0].record.reason, store::loss_reason::deleted);
  EXPECT_EQ(losses[0].record.first, 2u);
  EXPECT_EQ(losses[0].record.end, 5u);
  EXPECT_EQ(losses[0].record.unread, 3u);
}

TEST_F(topic_identity, what_nobody_reads_or_everybody_has_read_is_none) {
  declare();
  append(5);
  remove();
  declare();
  append(5);
  commit_offset("bridge/readings", 5);
  remove();
  EXPECT_THAT(broker_.inspecting().list_losses().value(), IsEmpty());
}

TEST_F(topic_identity, of_a_protected_name_that_never_came_all_is_lost) {
  declare({"bridge"});
  append(5);
  commit_offset("audit", 5);
  remove();
  const auto losses = broker_.inspecting().list_losses().value();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].record.first, 0u);
  EXPECT_EQ(losses[0].record.records, 5u);
}

// An operator protects `<bridge>`; the bridge commits offsets as `<bridge>/<route>`.
TEST_F(topic_identity, a_protected_name_means_all_groups_under_it) {
  declare({"bridge"}, overflow::reject);
  const std::string body(10'000, 'b');
  const auto fill = [&] {
    while (broker_.try_publish("amq.topic", "k", body)) broker_.commit();
  };
  fill();
  EXPECT_THAT(broker_.try_publish("amq.topic", "k", body).error().text, HasSubstr("group 'bridge' or 'bridge/...'"));
  commit_offset("bridges/other", 50);
  fill();
  EXPECT_EQ(broker_.reading().range("log", 0)->log_start, 0u);
  commit_offset("bridge/readings", 50);
  EXPECT_TRUE(broker_.try_publish("amq.topic", "k", body));
  broker_.commit();
  EXPECT_GT(broker_.reading().range("log", 0)->log_start, 0u);
  EXPECT_LE(broker_.reading().range("log", 0)->log_start, 50u);
}

TEST_F(topic_identity, the_slowest_group_under_a_protected_name_counts_also_after_a_restart) {
  declare({"bridge"}, overflow::reject);
  append(60, 10'000);
  commit_offset("bridge/slow", 10);
  commit_offset("bridge/fast", 50);
  broker_.reopen_closed();
  const std::string body(10'000, 'b');
  while (broker_.try_publish("amq.topic", "k", body)) broker_.commit();
  EXPECT_LE(broker_.reading().range("log", 0)->log_start, 10u);
  EXPECT_THAT(broker_.try_publish("amq.topic", "k", body).error().text,
              HasSubstr("'bridge/slow', which stands at offset 10"));
}

TEST_F(topic_identity, a_protected_name_that_no_group_carries_is_named) {
  declare({"bridge", "audit"});
  commit_offset("audit", 0);
  const auto unmatched = [&] {
    return broker_.inspecting().unmatched_protect(*broker_.inspecting().find_topic("log"));
  };
  EXPECT_THAT(unmatched(), ElementsAre("bridge"));
  commit_offset("bridge/readings", 0);
  EXPECT_THAT(unmatched(), IsEmpty());
}

}  // namespace
}  // namespace tidegate::core
