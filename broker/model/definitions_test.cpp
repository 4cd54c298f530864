#include "broker/model/definitions.hpp"

#include <gtest/gtest.h>

#include "broker/base/limits.hpp"

namespace tidegate {
namespace {

TEST(is_utf8, takes_what_rfc_3629_takes) {
  for (const char* const text :
       {"", "a", "\x7f", "ä", "€", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xf0\x9f\x8c\xa1z"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
}

TEST(is_utf8, refuses_the_rest) {
  for (const char* const text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xe0\xa0", "\xed\xa0\x80", "\xef\xbf",
        "\xf0\x8f\xbf\xbf", "\xf0\x9f\x8c", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe", "\xe2\x82z"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(names, have_their_rules) {
  EXPECT_TRUE(check_name("queue", "Wärme / 1 (alt)"));
  EXPECT_TRUE(check_name("queue", std::string(limits::name_bytes, 'n')));
  EXPECT_FALSE(check_name("queue", std::string(limits::name_bytes + 1, 'n')));
  EXPECT_FALSE(check_name("queue", ""));
  EXPECT_FALSE(check_name("queue", "a\tb"));
  EXPECT_FALSE(check_name("queue", "\xff"));
  EXPECT_TRUE(check_topic_name("a.B-c_9"));
  for (const char* const name : {"", ".", "..", "a b", "a/b", "ä"}) EXPECT_FALSE(check_topic_name(name)) << name;
}

TEST(definitions, survive_their_json) {
  const exchange_definition exchange{"x \"y\" \\ ä", exchange_type::fanout};
  EXPECT_EQ(exchange_from_json(to_json(exchange)).name, exchange.name);
  EXPECT_EQ(exchange_from_json(to_json(exchange)).type, exchange.type);
  EXPECT_EQ(queue_from_json(to_json(queue_definition{"q", stream_id{7}})).stream, stream_id{7});
  const topic_definition topic{"t", "uuid", 1ull << 40, std::chrono::hours(1), {stream_id{1}, stream_id{9}}};
  const auto found = topic_from_json(to_json(topic));
  EXPECT_EQ(found.uuid, "uuid");
  EXPECT_EQ(found.retention_bytes, 1ull << 40);
  EXPECT_EQ(found.retention_age, std::chrono::hours(1));
  EXPECT_EQ(found.partitions, topic.partitions);
  EXPECT_EQ(found.durability, durability{});
  const binding_definition binding{"x", target_kind::topic, "t", "a.#\x01"};
  EXPECT_EQ(binding_from_json(to_json(binding)), binding);
}

TEST(definitions, keep_their_durability) {
  const durability lazy = durability::every(std::chrono::milliseconds(500));
  EXPECT_EQ(queue_from_json(to_json(queue_definition{"q", stream_id{7}, lazy})).durability, lazy);
  topic_definition topic{"t", "uuid", 1, {}, {stream_id{1}}};
  topic.durability = lazy;
  EXPECT_EQ(topic_from_json(to_json(topic)).durability, lazy);
  topic.durability = durability::memory();
  EXPECT_EQ(topic_from_json(to_json(topic)).durability, durability::memory());
}

TEST(definitions, of_before_there_was_a_choice_of_durability_commit) {
  EXPECT_EQ(to_json(queue_definition{"q", stream_id{7}}), R"({"name":"q","stream":7})");
  EXPECT_EQ(queue_from_json(R"({"name":"q","stream":7})").durability, durability{});
  EXPECT_THROW(queue_from_json(R"({"name":"q","stream":7,"durability":"none"})"), storage_failure);
}

TEST(definitions, damaged_json_is_a_storage_failure) {
  for (const char* const text :
       {"", "[]", "{", "{}", R"({"name":3})", R"({"name":"q"})", R"({"name":"q","stream":"x"})"}) {
    EXPECT_THROW(queue_from_json(text), storage_failure) << text;
  }
  EXPECT_THROW(exchange_from_json(R"({"name":"x","type":"none"})"), storage_failure);
  EXPECT_THROW(binding_from_json(R"({"exchange":"x","target_kind":"shelf","target":"t","routing_key":""})"),
               storage_failure);
}

}  // namespace
}  // namespace tidegate
