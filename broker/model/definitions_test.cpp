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

TEST(definitions, survive_as_rows_whatever_their_bytes) {
  const exchange_definition exchange{"x \"y\" \\ \xff\x01", exchange_type::fanout};
  EXPECT_EQ(decode_exchange(encode(exchange)).name, exchange.name);
  EXPECT_EQ(decode_exchange(encode(exchange)).type, exchange.type);
  queue_definition queue{"q", stream_id{7}, {}, 1'000, 1ull << 40, overflow::reject};
  EXPECT_EQ(encode(decode_queue(encode(queue))), encode(queue));
  EXPECT_EQ(decode_queue(encode(queue)).stream, stream_id{7});
  EXPECT_EQ(decode_queue(encode(queue)).overflow, overflow::reject);
  topic_definition topic{"t", "uuid", 1ull << 40, std::chrono::hours(1), {stream_id{1}, stream_id{900}}};
  topic.protect = {"", "bridge"};
  const auto found = decode_topic(encode(topic));
  EXPECT_EQ(found.uuid, "uuid");
  EXPECT_EQ(found.retention_bytes, 1ull << 40);
  EXPECT_EQ(found.retention_age, std::chrono::hours(1));
  EXPECT_EQ(found.partitions, topic.partitions);
  EXPECT_EQ(found.protect, topic.protect);
  EXPECT_EQ(found.durability, durability{});
  const std::string key("a.#\x01\0\xfe", 6);
  const binding_definition binding{"x", target_kind::topic, "t", key};
  EXPECT_EQ(decode_binding(encode(binding)), binding);
  EXPECT_EQ(decode_binding(encode(binding_definition{})), binding_definition{});
}

TEST(definitions, keep_what_only_some_have) {
  exchange_definition exchange{"x", exchange_type::headers, true, true, "", "\x01kV"};
  exchange_definition found_exchange = decode_exchange(encode(exchange));
  EXPECT_EQ(encode(found_exchange), encode(exchange));
  EXPECT_EQ(found_exchange.alternate, "");
  EXPECT_EQ(decode_exchange(encode(exchange_definition{"x"})).alternate, std::nullopt);
  queue_definition queue{"q", stream_id{7}, {}, 0, 0, overflow::reject_dead_letter, true};
  queue.time_to_live = std::chrono::milliseconds(0);
  queue.expires = std::chrono::hours(1);
  queue.dead_letter_exchange = "";
  queue.dead_letter_key = "dead";
  queue.delivery_limit = 0;
  queue.priority_max = 9;
  queue.retry_delay = std::chrono::seconds(1);
  queue.retry_delay_max = std::chrono::minutes(1);
  queue.single_active = true;
  queue.levels = {stream_id{0}, stream_id{900}};
  queue.arguments = "\x01kV";
  const queue_definition found = decode_queue(encode(queue));
  EXPECT_EQ(encode(found), encode(queue));
  EXPECT_EQ(found.time_to_live, std::chrono::milliseconds(0));
  EXPECT_EQ(found.dead_letter_exchange, "");
  EXPECT_EQ(found.delivery_limit, 0u);
  EXPECT_EQ(found.levels, queue.levels);
  EXPECT_EQ(found.overflow, overflow::reject_dead_letter);
  EXPECT_EQ(decode_queue(encode(queue_definition{"q"})).delivery_limit, std::nullopt);
  const binding_definition binding{"x", target_kind::exchange, "y", "k", "\x01kV"};
  EXPECT_EQ(decode_binding(encode(binding)), binding);
}

TEST(definitions, keep_their_durability) {
  const durability lazy = durability::every(std::chrono::milliseconds(500));
  EXPECT_EQ(decode_queue(encode(queue_definition{"q", stream_id{7}, lazy})).durability, lazy);
  topic_definition topic{"t", "uuid", 1, {}, {stream_id{1}}};
  topic.durability = lazy;
  EXPECT_EQ(decode_topic(encode(topic)).durability, lazy);
  topic.durability = durability::memory();
  EXPECT_EQ(decode_topic(encode(topic)).durability, durability::memory());
}

// Only fields 1 and 2 are written; fields with their default value take no bytes.
TEST(definitions, have_these_bytes) {
  EXPECT_EQ(encode(queue_definition{"q", stream_id{7}}), std::string("\x0a\x01q\x10\x07"));
  EXPECT_EQ(encode(exchange_definition{"plant", exchange_type::topic}), std::string("\x0a\x05plant\x10\x03"));
}

TEST(definitions, damaged_or_newer_ones_are_a_storage_failure) {
  for (const std::string_view row : {"", "\x0a", "\x0a\x05q", "\x10\x07", "\x0f\x01"}) {
    EXPECT_THROW(decode_queue(row), storage_failure) << row;
  }
  const std::string queue = encode(queue_definition{"q", stream_id{7}});
  EXPECT_THROW(decode_queue(queue + "\xa0\x01\x01"), storage_failure);               // a field 20
  EXPECT_THROW(decode_queue(queue + "\x1a\x04none"), storage_failure);               // a durability
  EXPECT_THROW(decode_exchange(std::string("\x0a\x01x\x10\x05")), storage_failure);  // a fifth type
  EXPECT_THROW(decode_binding(std::string("\x0a\x01x\x10\x04")), storage_failure);   // to a fourth kind
}

}  // namespace
}  // namespace tidegate
