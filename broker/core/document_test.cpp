// Documents: definitions that are declared together, or not at all.
#include <gmock/gmock.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::HasSubstr;
using testing::Not;

class document : public testing::Test {
 protected:
  static api::document whole() {
    api::document made;
    made.exchanges = {{"x", exchange_type::topic}, {"y", exchange_type::headers}};
    made.queues = {{"a"}, {"b"}};
    made.queues[1].priority_max = 5;
    made.topics = {{"t", 3}};
    made.bindings = {{"x", target_kind::queue, "a", "a.#"},
                     {"x", target_kind::topic, "t", "#"},
                     {"x", target_kind::exchange, "y", "#"},
                     {"amq.fanout", target_kind::queue, "b", ""}};
    return made;
  }
  result<std::size_t> declare(const api::document& one) {
    const auto made = broker_.defining().declare_all(one, broker_.next_receipt());
    broker_->tell();
    return made;
  }
  std::uint64_t commits() { return broker_.inspecting().status().commits.commits; }
  bool is_empty() {
    return broker_.inspecting().list_queues().empty() && broker_.inspecting().list_topics().empty() &&
           broker_.inspecting().routes().bindings().empty() &&
           broker_.inspecting().routes().find_definition("x") == nullptr;
  }
  stepping_broker broker_;
};

TEST_F(document, comes_with_one_commit_and_stays) {
  const auto before = commits();
  EXPECT_EQ(declare(whole()).value(), 9u);
  broker_.commit();
  EXPECT_EQ(commits(), before + 1);
  EXPECT_THAT(broker_.noted().stored, testing::ElementsAre(broker_.last_token()));
  broker_.reopen_killed();
  EXPECT_EQ(broker_.publish("x", "a.b", "m"), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_.ready("a"), 1u);
  EXPECT_EQ(broker_.inspecting().find_topic("t")->partitions().size(), 3u);
  EXPECT_EQ(broker_.inspecting().find_queue("b")->definition().priority_max, 5u);
}

TEST_F(document, that_is_there_already_makes_nothing) {
  ASSERT_TRUE(declare(whole()));
  EXPECT_EQ(declare(whole()).value(), 0u);
  auto more = whole();
  more.queues.push_back({"c"});
  EXPECT_EQ(broker_.defining().check_all(more).value(), 1u);
  EXPECT_EQ(broker_.inspecting().find_queue("c"), nullptr) << "only checked";
  EXPECT_EQ(declare(more).value(), 1u);
}

TEST_F(document, with_one_wrong_definition_changes_nothing) {
  const std::vector<std::pair<std::function<void(api::document&)>, std::string>> mistakes{
      {[](auto& one) { one.exchanges.push_back({"amq.mine"}); }, "exchanges[2] 'amq.mine'"},
      {[](auto& one) {
         one.exchanges.push_back({"x", exchange_type::fanout});
       },
       "exchanges[2] 'x'"},
      {[](auto& one) { one.queues.push_back({""}); }, "queues[2] ''"},
      {[](auto& one) { one.queues.push_back({"a"}); }, "queues[2] 'a': it is in the document twice"},
      {[](auto& one) { one.queues[0].exclusive = true; }, "queues[0] 'a'"},
      {[](auto& one) { one.queues[0].priority_max = 256; }, "queues[0] 'a': priority_max 256"},
      {[](auto& one) { one.queues[1].dead_letter_key = "k"; }, "queues[1] 'b': dead_letter_key needs"},
      {[](auto& one) { one.topics.push_back({"no slash/here"}); }, "topics[1] 'no slash/here'"},
      {[](auto& one) {
         one.topics.push_back({"big", limits::partitions_per_topic + 1});
       },
       "topics[1] 'big'"},
      {[](auto& one) {
         one.bindings.push_back({"z", target_kind::queue, "a", ""});
       },
       "bindings[4] 'z': no exchange"},
      {[](auto& one) {
         one.bindings.push_back({"x", target_kind::queue, "z", ""});
       },
       "bindings[4] 'x': no queue 'z'"},
      {[](auto& one) {
         one.bindings.push_back({"x", target_kind::topic, "a", ""});
       },
       "bindings[4] 'x': no topic 'a'"},
      {[](auto& one) {
         one.bindings.push_back({"", target_kind::queue, "a", ""});
       },
       "bindings[4] ''"},
      {[](auto& one) {
         one.bindings.push_back({"y", target_kind::queue, "a", "", "?"});
       },
       "bindings[4] 'y'"},
  };
  for (const auto& [bend, text] : mistakes) {
    auto bent = whole();
    bend(bent);
    const auto refused = declare(bent);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().text, HasSubstr(text));
    EXPECT_TRUE(is_empty()) << text;
  }
  EXPECT_TRUE(broker_->is_idle());
}

TEST_F(document, tells_of_all_mistakes_that_fit) {
  auto bent = whole();
  for (int i = 0; i < 100; ++i) bent.queues.push_back({"amq." + std::to_string(i)});
  bent.topics[0].retention_bytes = 1;
  const auto refused = declare(bent);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::not_allowed);
  EXPECT_EQ(refused.error().field, "queues[2].name");
  EXPECT_THAT(refused.error().text, HasSubstr("queues[2] 'amq.0'"));
  EXPECT_THAT(refused.error().text, HasSubstr("; and "));
  EXPECT_LE(refused.error().text.size(), limits::error_text_bytes);
}

TEST_F(document, tells_of_a_mistake_with_a_name_that_is_too_long) {
  api::document bent;
  bent.queues = {{std::string(5'000, 'x')}, {"amq.mine"}};
  const auto refused = declare(bent);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("queues[0]: "));
  EXPECT_LE(refused.error().text.size(), limits::error_text_bytes);
}

TEST_F(document, differs_from_what_is_there) {
  broker_.declare_queue("a", [](auto& one) { one.messages_max = 7; });
  auto bent = whole();
  bent.queues[0].messages_max = 8;
  const auto refused = declare(bent);
  EXPECT_EQ(refused.error().code, errc::precondition);
  EXPECT_THAT(refused.error().text, HasSubstr("queues[0] 'a': queue 'a' has messages_max 7, not 8"));
  EXPECT_EQ(broker_.inspecting().find_queue("b"), nullptr);
  ASSERT_TRUE(declare(whole()));
  EXPECT_EQ(broker_.inspecting().find_queue("a")->definition().messages_max, 7u) << "left open, so accepted";
}

}  // namespace
}  // namespace tidegate::core
