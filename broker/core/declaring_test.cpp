#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class declaring : public testing::Test {
 protected:
  result<void> declare_topic(const api::topic_request& topic) {
    return broker_.defining().declare_topic(topic, broker_.next_receipt());
  }
  const topic_definition& log() { return broker_.inspecting().find_topic("log")->definition(); }
  // The request is settled when its change is on flash, and also if nothing had to be written.
  void expect_settled() {
    broker_.commit();
    ASSERT_FALSE(broker_.noted().stored.empty());
    EXPECT_EQ(broker_.noted().stored.back(), broker_.last_token());
  }
  stepping_broker broker_;
};

TEST_F(declaring, again_what_exists_writes_nothing_and_is_settled) {
  for (int i = 0; i < 2; ++i) {
    broker_.declare_exchange("x", exchange_type::topic);
    broker_.declare_queue("q");
    broker_.declare_topic("log", 3);
    broker_.bind_queue("x", "q", "#");
    broker_.bind_topic("x", "log", "#");
    expect_settled();
  }
  EXPECT_EQ(broker_->commits().figures().commits, 1u);
}

TEST_F(declaring, a_definition_fits_a_page_of_the_store) {
  api::topic_request most{"log", limits::partitions_per_topic};
  EXPECT_TRUE(declare_topic(most));
  api::topic_request longest{"other", 1};
  for (std::size_t i = 0; i < limits::protected_groups; ++i) {
    longest.protect.push_back(std::string(limits::name_bytes, static_cast<char>('a' + i)));
  }
  const auto refused = declare_topic(longest);
  EXPECT_EQ(refused.error().code, errc::limit);
  EXPECT_THAT(refused.error().text, HasSubstr("limit is 4000"));
  longest.protect.pop_back();
  EXPECT_TRUE(declare_topic(longest));
}

TEST_F(declaring, with_other_attributes_names_the_first) {
  broker_.declare_exchange("x", exchange_type::topic);
  const auto exchange = broker_.defining().declare_exchange({"x", exchange_type::direct}, broker_.next_receipt());
  EXPECT_EQ(exchange.error().code, errc::precondition);
  EXPECT_EQ(exchange.error().field, "type");
  EXPECT_THAT(exchange.error().text, HasSubstr("topic"));
  broker_.declare_topic("log", 2, 5 << 20, std::chrono::hours(1));
  EXPECT_EQ(declare_topic({"log", 3, 6 << 20}).error().field, "partitions");
  EXPECT_EQ(declare_topic({"log", 2, 6 << 20}).error().field, "retention_bytes");
  EXPECT_EQ(declare_topic({"log", 2, 5 << 20, std::chrono::hours(2)}).error().field, "retention_ms");
  EXPECT_TRUE(declare_topic({"log"}));
  EXPECT_TRUE(declare_topic({"log", 2, 5 << 20, std::chrono::hours(1)}));
}

TEST_F(declaring, the_overflow_that_is_asked_for_is_the_one_that_it_has) {
  const auto declare_queue = [&](std::optional<overflow> overflow) {
    return broker_.defining().declare_queue({"work", {}, 9, 0, overflow}, broker_.next_receipt());
  };
  EXPECT_TRUE(declare_queue(overflow::reject));
  EXPECT_TRUE(declare_queue(std::nullopt));
  EXPECT_EQ(declare_queue(overflow::drop_oldest).error().field, "overflow");
  EXPECT_TRUE(declare_topic({"log", 1, 0, {}, 9, overflow::reject}));
  EXPECT_TRUE(declare_topic({"log"}));
  EXPECT_EQ(declare_topic({"log", 1, 0, {}, 9, overflow::drop_oldest}).error().field, "overflow");
  EXPECT_EQ(broker_.inspecting().find_queue("work")->definition().overflow, overflow::reject);
}

TEST_F(declaring, names_and_numbers_have_bounds) {
  const auto receipt = broker_.next_receipt();
  for (const std::string& name : {std::string(), std::string(limits::name_bytes + 1, 'n'), std::string("a\nb"),
                                  std::string("\xc3"), std::string("\xff\xfe"), std::string("\xed\xa0\x80")}) {
    EXPECT_EQ(broker_.defining().declare_queue({name}, receipt).error().code, errc::invalid);
    EXPECT_EQ(broker_.defining().declare_exchange({name, exchange_type::direct}, receipt).error().code,
              name.empty() ? errc::not_allowed : errc::invalid);
    EXPECT_EQ(declare_topic({name}).error().code, errc::invalid);
  }
  EXPECT_TRUE(broker_.defining().declare_queue({"Wärme \xf0\x9f\x8c\xa1"}, receipt));
  EXPECT_EQ(declare_topic({"a b"}).error().code, errc::invalid);
  EXPECT_EQ(declare_topic({".."}).error().code, errc::invalid);
  EXPECT_EQ(declare_topic({"log", limits::partitions_per_topic + 1}).error().code, errc::limit);
  EXPECT_EQ(declare_topic({"log", 1, limits::retention_bytes_min - 1}).error().field, "retention_bytes");
  EXPECT_EQ(declare_topic({"log", 1, 0, milliseconds(-1)}).error().field, "retention_ms");
  EXPECT_EQ(declare_topic({"log", 1, 0, milliseconds::max()}).error().field, "retention_ms");
  EXPECT_EQ(broker_.defining().declare_exchange({"amq.mine", exchange_type::direct}, receipt).error().code,
            errc::not_allowed);
}

TEST_F(declaring, all_partitions_together_have_a_bound) {
  for (std::size_t i = 0; i < limits::definitions_count / limits::partitions_per_topic; ++i) {
    broker_.declare_topic("t" + std::to_string(i), limits::partitions_per_topic);
  }
  EXPECT_EQ(declare_topic({"log"}).error().code, errc::limit);
  broker_.defining().remove_topic("t0", broker_.next_receipt()).value();
  EXPECT_TRUE(declare_topic({"log"}));
}

TEST_F(declaring, so_many_queues_and_bindings_and_no_more) {
  for (std::size_t i = 0; i < limits::definitions_count; ++i) broker_.declare_queue("q" + std::to_string(i));
  EXPECT_EQ(broker_.defining().declare_queue({"more"}, broker_.next_receipt()).error().code, errc::limit);
  for (std::size_t i = 0; i < limits::definitions_count; ++i) broker_.bind_queue("amq.topic", "q0", std::to_string(i));
  const auto binding = stepping_broker::binding("amq.topic", target_kind::queue, "q0", "more");
  EXPECT_EQ(broker_.defining().bind(binding, broker_.next_receipt()).error().code, errc::limit);
  EXPECT_TRUE(broker_.defining().declare_queue({"q7"}, broker_.next_receipt()));
}

TEST_F(declaring, bindings_need_what_they_join) {
  broker_.declare_queue("q");
  broker_.declare_topic("log");
  const auto bind = [&](std::string_view exchange, target_kind kind, std::string_view target, std::string_view key) {
    return broker_.defining().bind(stepping_broker::binding(exchange, kind, target, key), broker_.next_receipt());
  };
  EXPECT_EQ(bind("", target_kind::queue, "q", "k").error().code, errc::not_allowed);
  EXPECT_EQ(bind("none", target_kind::queue, "q", "k").error().field, "exchange");
  EXPECT_EQ(bind("amq.topic", target_kind::queue, "log", "k").error().field, "target");
  EXPECT_EQ(bind("amq.topic", target_kind::topic, "q", "k").error().field, "target");
  EXPECT_EQ(bind("amq.topic", target_kind::queue, "q", std::string(256, 'k')).error().code, errc::too_large);
  EXPECT_TRUE(bind("amq.topic", target_kind::queue, "q", "\xff")) << "keys are bytes";
  EXPECT_TRUE(bind("amq.topic", target_kind::queue, "q", std::string(255, 'k')));
}

TEST_F(declaring, everything_is_found_again_after_a_kill) {
  broker_.declare_exchange("x", exchange_type::fanout);
  broker_.declare_queue("q");
  broker_.declare_topic("log", 3, 5 << 20, std::chrono::hours(1));
  broker_.bind_queue("x", "q");
  broker_.bind_topic("x", "log");
  broker_.bind_queue("amq.topic", "q", "gone");
  broker_.defining()
      .unbind(stepping_broker::binding("amq.topic", target_kind::queue, "q", "gone"), broker_.next_receipt())
      .value();
  broker_.commit();
  const std::string uuid = log().uuid;
  broker_.reopen_killed();
  EXPECT_EQ(broker_.inspecting().routes().find_definition("x")->type, exchange_type::fanout);
  EXPECT_EQ(log().uuid, uuid);
  EXPECT_THAT(log().partitions, SizeIs(3));
  EXPECT_EQ(log().retention_bytes, 5u << 20);
  EXPECT_EQ(log().retention_age, std::chrono::hours(1));
  EXPECT_THAT(broker_.inspecting().routes().bindings(), SizeIs(2));
  EXPECT_EQ(broker_.publish("x", "", "m"), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_.ready("q"), 1u);
}

TEST_F(declaring, removing_takes_the_bindings_along_and_what_is_missing_is_fine) {
  broker_.declare_exchange("x", exchange_type::fanout);
  broker_.declare_queue("q");
  broker_.declare_topic("log");
  broker_.bind_queue("x", "q");
  broker_.bind_topic("x", "log");
  broker_.bind_queue("amq.topic", "q", "k");
  broker_.commit();
  broker_.defining().remove_exchange("x", broker_.next_receipt()).value();
  EXPECT_THAT(broker_.inspecting().routes().bindings(), SizeIs(1));
  EXPECT_FALSE(broker_.try_publish("x", "", "m"));
  broker_.defining().remove_queue("q", broker_.next_receipt()).value();
  broker_.defining().remove_topic("log", broker_.next_receipt()).value();
  EXPECT_EQ(broker_.publish("amq.topic", "k", "m"), api::publish_outcome::unroutable);
  broker_.defining().remove_exchange("x", broker_.next_receipt()).value();
  broker_.defining().remove_queue("q", broker_.next_receipt()).value();
  broker_.defining().remove_topic("log", broker_.next_receipt()).value();
  expect_settled();
  EXPECT_EQ(broker_.defining().remove_exchange("amq.topic", broker_.next_receipt()).error().code, errc::not_allowed);
  broker_.reopen_killed();
  EXPECT_THAT(broker_.inspecting().list_queues(), SizeIs(0));
  EXPECT_THAT(broker_.inspecting().list_topics(), SizeIs(0));
  EXPECT_THAT(broker_.inspecting().routes().bindings(), SizeIs(0));
}

TEST_F(declaring, the_configuration_grows_a_topic_and_changes_its_retention) {
  EXPECT_TRUE(broker_.defining().adopt_topic({"log", 2, 5 << 20}));
  broker_.bind_topic("amq.topic", "log", "#");
  broker_.publish("amq.topic", "k", "m", "a");
  broker_.commit();
  const auto commits = broker_->commits().figures().commits;
  EXPECT_TRUE(broker_.defining().adopt_topic({"log", 2, 5 << 20}));
  broker_.commit();
  EXPECT_EQ(broker_->commits().figures().commits, commits);
  EXPECT_TRUE(broker_.defining().adopt_topic({"log", 4, limits::retention_bytes_min, std::chrono::hours(1)}));
  broker_.commit();
  EXPECT_EQ(broker_.defining().adopt_topic({"log", 3}).error().field, "partitions");
  EXPECT_EQ(broker_.defining().adopt_topic({"log", limits::partitions_per_topic + 1}).error().code, errc::limit);
  broker_.reopen_killed();
  EXPECT_THAT(log().partitions, SizeIs(4));
  EXPECT_EQ(log().retention_bytes, limits::retention_bytes_min);
  EXPECT_EQ(log().retention_age, std::chrono::hours(1));
  // The new limits hold, in the old partitions as well.
  for (int i = 0; i < 40; ++i) {
    for (const char* const key : {"a", "b", "c", "d", "e", "f"}) {
      broker_.publish("amq.topic", "k", std::string(50'000, 'b'), key);
      broker_.commit();
    }
  }
  const auto topics = broker_.inspecting().list_topics();
  for (const auto& row : topics[0].partitions) EXPECT_LE(row.bytes, limits::retention_bytes_min);
}

TEST_F(declaring, a_topic_is_usable_in_the_group_that_makes_it) {
  broker_.declare_topic("log");
  broker_.bind_topic("amq.fanout", "log");
  broker_.publish("amq.fanout", "", "m");
  broker_.commit();
  EXPECT_THAT(broker_.read("log", 0, 0), SizeIs(1));
}

}  // namespace
}  // namespace tidegate::core
