#include "client/tool/document.hpp"

#include <gmock/gmock.h>

namespace tidegate::tool {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

std::string refusal(std::string_view text) {
  try {
    read_document(text);
  } catch (const error_exception& refused) {
    return refused.cause.text;
  }
  return "";
}

json::object row(std::string_view text) { return json::parse(text).as_object(); }

TEST(document, holds_what_a_listing_says_and_a_declaration_takes) {
  const json::object document{
      {"exchanges", {exchange_of(row(R"({"name":"x","type":"topic","auto_delete":true,"internal":false,"alternate":"a",
                                          "bindings":3})"))}},
      {"queues", {queue_of(row(R"({"name":"q","ready":5,"messages_max":10,"bytes_max":0,"overflow":"reject",
                                    "durability":"interval:50","auto_delete":false,"single_active":true,
                                    "exclusive":false,"time_to_live_ms":0,"expires_ms":7,"dead_letter_exchange":"",
                                    "dead_letter_key":"d","delivery_limit":0,"priority_max":9,"retry_delay_ms":1,
                                    "retry_delay_max_ms":2})"))}},
      {"topics", {topic_of(row(R"({"name":"t","partitions":[{"partition":0},{"partition":1}],"retention_bytes":1048576,
                                    "retention_ms":60000,"retention_records":0,"overflow":"drop-oldest",
                                    "protect":["g"],"durability":"commit","uuid":"u"})"))}},
      {"bindings", {binding_of(row(R"({"exchange":"x","target_kind":"queue","target":"q","routing_key":"a.#"})"))}}};
  const client::definitions read = read_document(to_text(document));
  ASSERT_EQ(read.exchanges.size(), 1u);
  EXPECT_EQ(read.exchanges[0].type, "topic");
  EXPECT_EQ(read.exchanges[0].auto_delete, true);
  EXPECT_EQ(read.exchanges[0].internal, std::nullopt);
  EXPECT_EQ(read.exchanges[0].alternate, "a");
  ASSERT_EQ(read.queues.size(), 1u);
  const client::queue_definition& queue = read.queues[0];
  EXPECT_EQ(queue.durability, "interval:50");
  EXPECT_EQ(queue.messages_max, 10u);
  EXPECT_EQ(queue.overflow, "reject");
  EXPECT_EQ(queue.single_active, true);
  EXPECT_EQ(queue.time_to_live, std::chrono::milliseconds(0));
  EXPECT_EQ(queue.expires, std::chrono::milliseconds(7));
  EXPECT_EQ(queue.dead_letter_exchange, "");
  EXPECT_EQ(queue.dead_letter_key, "d");
  EXPECT_EQ(queue.delivery_limit, 0u);
  EXPECT_EQ(queue.priority_max, 9u);
  EXPECT_EQ(queue.retry_delay, std::chrono::milliseconds(1));
  EXPECT_EQ(queue.retry_delay_max, std::chrono::milliseconds(2));
  ASSERT_EQ(read.topics.size(), 1u);
  EXPECT_EQ(read.topics[0].partitions, 2u);
  EXPECT_EQ(read.topics[0].retention_age, std::chrono::minutes(1));
  EXPECT_THAT(read.topics[0].protect, testing::ElementsAre("g"));
  ASSERT_EQ(read.bindings.size(), 1u);
  EXPECT_EQ(read.bindings[0].routing_key, "a.#");
}

TEST(document, keeps_arguments_to_the_byte) {
  const auto exported = [](const char* arguments, const char* hex) {
    json::object binding{{"exchange", "x"}, {"target_kind", "queue"}, {"target", "q"}, {"routing_key", ""}};
    binding["arguments"] = json::parse(arguments);
    binding["arguments_hex"] = hex;
    return binding_of(binding);
  };
  const json::object text = exported(R"({"k":"v"})", "016b530000000176");
  EXPECT_FALSE(text.contains("arguments_hex")) << "the JSON says it all";
  const json::object small = exported(R"({"k":5})", "016b6205");  // a number of one byte
  EXPECT_TRUE(small.contains("arguments_hex"));
  const auto read = read_document(to_text({{"bindings", {text, small}}})).bindings;
  EXPECT_EQ(read.at(0).arguments, std::string("\x01kS\0\0\0\1v", 8));
  EXPECT_EQ(read.at(1).arguments, "\x01k\x62\x05");
}

TEST(document, mistakes_are_named_with_their_place) {
  EXPECT_THAT(refusal("{"), HasSubstr("the document: it is not JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("the document: it is not a JSON object"));
  EXPECT_THAT(refusal(R"({"queue":[]})"), HasSubstr("queue: a document has exchanges"));
  EXPECT_THAT(refusal(R"({"queues":{}})"), HasSubstr("queues: it is not a list"));
  EXPECT_THAT(refusal(R"({"queues":[{"name":"a"},5]})"), HasSubstr("queues[1]: it is not a JSON object"));
  EXPECT_THAT(refusal(R"({"queues":[{"name":5}]})"), HasSubstr("queues[0].name: it is not a text"));
  EXPECT_THAT(refusal(R"({"queues":[{"nane":"a"}]})"), HasSubstr("queues[0].nane: it is no member"));
  EXPECT_THAT(refusal(R"({"queues":[{"messages_max":-1}]})"), HasSubstr("queues[0].messages_max: it is not a whole"));
  EXPECT_THAT(refusal(R"({"queues":[{"priority_max":4294967296}]})"), HasSubstr("from 0 to 4294967295"));
  EXPECT_THAT(refusal(R"({"topics":[{"protect":[1]}]})"), HasSubstr("topics[0].protect"));
  EXPECT_THAT(refusal(R"({"bindings":[{"arguments_hex":"0"}]})"), HasSubstr("it is not hexadecimal"));
  EXPECT_THAT(refusal(R"({"bindings":[{"arguments":{"a":[1]}}]})"), HasSubstr("bindings[0].arguments.a"));
}

}  // namespace
}  // namespace tidegate::tool
