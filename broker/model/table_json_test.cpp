#include "broker/model/table_json.hpp"

#include <gtest/gtest.h>

#include "broker/model/field_table.hpp"

namespace tidegate {
namespace {

using namespace std::string_literals;

TEST(table_json, shows_each_type) {
  std::string inner, table;
  append_number(inner, "n", -3);
  append_text(table, "say", "\"hi\"\n");
  append_boolean(table, "on", true);
  append_field(table, {"bytes", 'x', "\xff"});
  append_field(table, {"when", 'T', "\0\0\0\0\0\0\0\5"s});
  append_field(table, {"none", 'V', ""});
  append_field(table, {"half", 'd', "\x3f\xe0\0\0\0\0\0\0"s});
  append_field(table, {"huge", 'd', "\x7f\xf0\0\0\0\0\0\0"s});
  append_field(table, {"list", 'A', "S\0\0\0\1aB\7A\0\0\0\0F\0\0\0\3\1kV"s});
  append_field(table, {"table", 'F', inner});
  EXPECT_EQ(to_json(table), R"({"say":"\"hi\"\u000a","on":true,"bytes":{"base64":"/w=="},"when":{"timestamp":5},)"
                            R"("none":null,"half":0.5,"huge":null,"list":["a",7,[],{"k":null}],"table":{"n":-3}})");
  EXPECT_EQ(to_json(std::string_view()), "{}");
}

TEST(table_json, shows_the_properties_that_are_set) {
  properties some;
  EXPECT_EQ(to_json(some), "{}");
  some.priority = std::uint8_t{3};
  some.reply_to = "r";
  EXPECT_EQ(to_json(some), R"({"priority":3,"reply_to":"r"})");
}

}  // namespace
}  // namespace tidegate
