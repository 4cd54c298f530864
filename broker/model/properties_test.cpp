#include "broker/model/properties.hpp"

#include <gtest/gtest.h>

#include "broker/base/limits.hpp"
#include "broker/model/field_table.hpp"

namespace tidegate {
namespace {

properties full(const std::string& table) {
  properties all;
  all.content_type = "application/json";
  all.content_encoding = "gzip";
  all.headers = table;
  all.delivery_mode = std::uint8_t{2};
  all.priority = std::uint8_t{9};
  all.correlation_id = "";
  all.reply_to = "replies";
  all.expiration = "60000";
  all.message_id = "m-1";
  all.timestamp = 1'700'000'000;
  all.type = "reading";
  all.user_id = "guest";
  all.app_id = "sensor";
  all.cluster_id = "c";
  return all;
}

TEST(properties, survive_with_what_is_absent_and_what_is_empty) {
  std::string table;
  append_text(table, "unit", "C");
  const std::string encoded = encode(full(table));
  const auto read = read_properties(encoded);
  ASSERT_TRUE(read);
  EXPECT_EQ(encode(*read), encoded);
  EXPECT_EQ(read->headers, table);
  EXPECT_EQ(read->correlation_id, "");
  EXPECT_EQ(read->timestamp, 1'700'000'000u);
  EXPECT_EQ(read->priority, 9);
}

TEST(properties, none_take_no_bytes) {
  EXPECT_EQ(encode(properties{}), "");
  EXPECT_FALSE(read_properties("")->content_type);
  EXPECT_FALSE(read_properties(std::string_view("\0\0", 2))->content_type);
}

// As RabbitMQ's clients write them: content type and delivery mode.
TEST(properties, have_the_bytes_of_a_content_header) {
  properties two;
  two.content_type = "a/b";
  two.delivery_mode = std::uint8_t{2};
  EXPECT_EQ(encode(two), std::string("\x90\x00\x03"
                                     "a/b\x02",
                                     7));
}

TEST(properties, refuses_what_is_cut_off_too_long_or_not_known) {
  std::string table;
  append_text(table, "unit", "C");
  const std::string encoded = encode(full(table));
  for (std::size_t size = 1; size < encoded.size(); ++size) {
    EXPECT_EQ(read_properties(encoded.substr(0, size)).error().field, "properties") << size;
  }
  EXPECT_FALSE(read_properties(encoded + "x"));
  EXPECT_FALSE(read_properties(std::string_view("\0\1", 2))) << "more flags follow";
  EXPECT_FALSE(read_properties(std::string_view("\0\2", 2)));
  EXPECT_EQ(read_properties(std::string("\x20\x00\0\0\0\1x", 7)).error().field, "headers");
}

TEST(properties, expiration_is_a_whole_number_of_milliseconds) {
  const auto parsed = [](std::string_view text) {
    properties with;
    with.expiration = text;
    return time_to_live_of(with);
  };
  EXPECT_EQ(time_to_live_of({}).value(), std::nullopt);
  EXPECT_EQ(parsed("0").value(), std::chrono::milliseconds(0));
  EXPECT_EQ(parsed("60000").value(), std::chrono::minutes(1));
  EXPECT_EQ(parsed("4294967295").value(), limits::time_to_live_max);
  for (const char* const wrong : {"", "-1", "1.5", "1s", " 1", "4294967296", "99999999999999999999"}) {
    EXPECT_EQ(parsed(wrong).error().field, "expiration") << wrong;
    EXPECT_EQ(parsed(wrong).error().code, errc::precondition);
  }
}

}  // namespace
}  // namespace tidegate
