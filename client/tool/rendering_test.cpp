#include "client/tool/rendering.hpp"

#include <gtest/gtest.h>

#include "broker/model/definitions.hpp"
#include "broker/model/field_table.hpp"
#include "broker/model/table_json.hpp"
#include "client/tool/text.hpp"

namespace tidegate::tool {
namespace {

namespace json = boost::json;

std::string json_of(const message_view& message) {
  json::object object;
  add_message(object, message, 5);
  return json::serialize(object);
}

TEST(text, knows_utf8) {
  for (const char* good : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8C\x8A", "\xED\x9F\xBF"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
}

TEST(text, knows_what_is_not_utf8) {
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xE2\x82", "\xE2\x28\xA1", "ok\xFF"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(text, writes_base64) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("\xFF\xFE"), "//4=");
}

TEST(text, lets_no_message_steer_the_terminal) {
  EXPECT_EQ(to_line("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(to_line("\x1B[31m\x7F"), "\\x1B[31m\\x7F");
  EXPECT_EQ(to_line("\xC2\x9B"
                    "31m"),
            "\\xC2\\x9B31m");
  EXPECT_EQ(to_line("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(to_line("\xFF"), "(1 bytes, base64) /w==");
}

TEST(rendering, gives_messages_as_json) {
  EXPECT_EQ(json_of({.exchange = "e", .routing_key = "a.b", .key = "k", .headers = {{"h", "v"}}, .body = "\"hi\""}),
            R"({"routing_key":"a.b","exchange":"e","key":"k","headers":{"h":"v"},"timestamp_ms":5,"body":"\"hi\""})");
}

TEST(rendering, gives_binary_as_base64) {
  EXPECT_EQ(json_of({.exchange = "", .routing_key = "", .key = "\xFF", .headers = {{"h", "\xFF"}}, .body = "\xFF"}),
            R"({"routing_key":"","exchange":"","key_base64":"/w==","headers":{},"headers_base64":{"h":"/w=="},)"
            R"("timestamp_ms":5,"body_base64":"/w=="})");
}

TEST(rendering, gives_properties_as_an_object) {
  std::string table;
  append_number(table, "level", 7);
  properties properties;
  properties.headers = table;
  properties.content_type = "text/plain";
  const std::string encoded = encode(properties);
  message_view message{.exchange = "", .routing_key = "a", .key = "", .headers = {}, .body = "x"};
  message.properties = encoded;
  EXPECT_NE(json_of(message).find(R"("properties":{"content_type":"text/plain","headers":{"level":7}})"),
            std::string::npos);
  EXPECT_EQ(message_line(message, 0),
            R"(1970-01-01T00:00:00.000Z a {"content_type":"text/plain","headers":{"level":7}} | x)");
}

TEST(rendering, gives_messages_as_lines) {
  EXPECT_EQ(message_line({.exchange = "e", .routing_key = "a", .key = "k", .headers = {{"h", "v"}}, .body = "x\ny"}, 0),
            "1970-01-01T00:00:00.000Z a key=k h=v | x\\ny");
}

TEST(rendering, aligns_columns) {
  const auto rows = json::parse(R"([{"name":"work","ready":7},{"name":"a","ready":1200,"more":"x"}])").as_array();
  EXPECT_EQ(table(rows),
            "NAME  READY  MORE\n"
            "work      7\n"
            "a      1200  x\n");
}

TEST(rendering, spreads_what_is_nested) {
  const auto rows =
      json::parse(R"([{"name":"t","partitions":[{"partition":0,"bytes":5},{"partition":1,"bytes":70}],"age":null}])");
  EXPECT_EQ(table(rows.as_array()),
            "NAME  AGE  PARTITION  BYTES\n"
            "t       -          0      5\n"
            "t       -          1     70\n");
}

TEST(rendering, shows_one_object_as_names_and_values) {
  const auto status =
      json::parse(R"({"server":"s 1","store":{"bytes":5,"full":false},"tags":["a",1],"rate":0.2,"age":null})");
  EXPECT_EQ(fields(status.as_object()),
            "server       s 1\n"
            "store.bytes  5\n"
            "store.full   false\n"
            "tags         a,1\n"
            "rate         0.2\n"
            "age          unknown\n");
}

TEST(rendering, tables_in_pages_widen_and_show_new_columns) {
  growing_table table;
  EXPECT_EQ(table.add(json::parse(R"([{"name":"a","ready":1}])").as_array()), "NAME  READY\na         1\n");
  EXPECT_EQ(table.add({}), "");
  EXPECT_EQ(table.add(json::parse(R"([{"name":"longer","ready":22}])").as_array()), "longer     22\n");
  EXPECT_EQ(table.add(json::parse(R"([{"name":"b","ready":3}])").as_array()), "b           3\n");
  EXPECT_EQ(table.add(json::parse(R"([{"name":"c","ready":4,"more":"x"}])").as_array()),
            "NAME    READY  MORE\nc           4  x\n");
}

}  // namespace
}  // namespace tidegate::tool
