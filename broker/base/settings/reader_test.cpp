#include "broker/base/settings/reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.hpp"
#include "broker/base/settings/test_schema.hpp"

namespace tidegate::settings {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using namespace std::chrono_literals;
using namespace std::string_literals;

document good(std::string_view text) { return parse(text, "f", test_tables).value(); }

error mistake(std::string_view text) {
  const auto read = parse(text, "f", test_tables);
  return read ? error{errc::invalid, "none"} : read.error();
}
std::string complaint(std::string_view text) { return mistake(text).text; }

TEST(reader, values_of_every_kind_arrive) {
  const document file = good(R"(
[box]
path = "/p"
mode = "fast"
checked = true
count = 10
anything = 9223372036854775807
bytes_max = "64M"
age = "2h"
wait = "1s"
groups = ["a", "b"]
properties = { "x.y" = "1", z = "2" }
)");
  const section box = file.one("box");
  EXPECT_EQ(*box.text("path"), "/p");
  EXPECT_EQ(*box.text("mode"), "fast");
  bool checked = false;
  std::uint32_t count = 0;
  milliseconds age{}, wait{};
  std::vector<std::string> groups;
  text_table properties;
  box.read("checked", checked);
  box.read("count", count);
  box.read("age", age);
  box.read("wait", wait);
  box.read("groups", groups);
  box.read("properties", properties);
  EXPECT_TRUE(checked);
  EXPECT_EQ(count, 10u);
  EXPECT_EQ(*box.number("anything"), 9'223'372'036'854'775'807u);
  EXPECT_EQ(*box.number("bytes_max"), 64u << 20);
  EXPECT_EQ(age, 2h);
  EXPECT_EQ(wait, 1s);
  EXPECT_THAT(groups, ElementsAre("a", "b"));
  EXPECT_EQ(properties, (text_table{{"x.y", "1"}, {"z", "2"}}));
}

TEST(reader, sizes_and_waits_may_be_bare_numbers) {
  const section box = good("[box]\nbytes_max = 1024\nwait = 7").one("box");
  milliseconds wait{};
  box.read("wait", wait);
  EXPECT_EQ(*box.number("bytes_max"), 1'024u);
  EXPECT_EQ(wait, 7ms);
}

TEST(reader, what_is_not_written_stays_as_it_is) {
  std::string path = "before";
  good("").one("box").read("path", path);
  good("[box]").one("box").read("path", path);
  EXPECT_EQ(path, "before");
  EXPECT_TRUE(good("").all("item").empty());
  EXPECT_FALSE(good("").one("box").has("count"));
}

TEST(reader, tables_come_in_their_order) {
  const document file = good("[[item]]\nname = \"b\"\n[[item]]\nname = \"a\"");
  ASSERT_EQ(file.all("item").size(), 2u);
  EXPECT_EQ(*file.all("item")[0].text("name"), "b");
  EXPECT_EQ(*file.all("item")[1].text("name"), "a");
}

struct wrong {
  const char* text;
  const char* complaint;
};

constexpr wrong wrongs[] = {
    {"[box]\npath = 3", "f: line 2: box.path: takes a text in quotes; found 3"},
    {"[box]\nmode = \"loud\"", "f: line 2: box.mode: takes slow or fast, in quotes; found \"loud\""},
    {"[box]\nmode = \"\"", "f: line 2: box.mode: takes slow or fast, in quotes; found \"\""},
    {"[box]\nchecked = 1", "f: line 2: box.checked: takes true or false; found 1"},
    {"[box]\ncount = 11", "f: line 2: box.count: takes a whole number from 1 to 10; found 11"},
    {"[box]\ncount = 0", "f: line 2: box.count: takes a whole number from 1 to 10; found 0"},
    {"[box]\ncount = -1", "f: line 2: box.count: takes a whole number from 1 to 10; found -1"},
    {"[box]\ncount = \"1\"", "f: line 2: box.count: takes a whole number from 1 to 10; found \"1\""},
    {"[box]\ncount = 1.5", "f: line 2: box.count: takes a whole number from 1 to 10; found 1.5"},
    {"[box]\nanything = nan", "f: line 2: box.anything: takes a whole number; found nan"},
    {"[box]\nanything = -9223372036854775808",
     "f: line 2: box.anything: takes a whole number; found -9223372036854775808"},
    {"[box]\nbytes_max = \"2G\"",
     "f: line 2: box.bytes_max: takes bytes from 1K to 1G, or 0, as a number or like \"512K\", \"64M\", \"2G\"; "
     "found \"2G\""},
    {"[box]\nage = 5", "f: line 2: box.age: takes a time from 0ms to 10d, like"},
    {"[box]\nage = \"5\"", "f: line 2: box.age: takes a time"},
    {"[box]\nage = \"11d\"", "found \"11d\""},
    {"[box]\nwait = -1", "f: line 2: box.wait: takes a time from 0ms to 10s, like \"50ms\", \"2s\", or as a number"},
    {"[box]\nwait = 10001", "found 10001"},
    {"[box]\ngroups = \"a\"", "f: line 2: box.groups: takes a list of texts of at most 2, like [\"one\", \"two\"]"},
    {"[box]\ngroups = [\n\"a\",\n3]", "f: line 4: box.groups: takes a list of texts of at most 2"},
    {"[box]\ngroups = [\"a\", \"b\", \"c\"]", "found a list of 3"},
    {"[box]\nproperties = 3", "f: line 2: box.properties: takes a table of texts"},
    {"[box]\nproperties = { \"a.b\" = 3 }", "f: line 2: box.properties.a.b: takes a text in quotes; found 3"},
    {"[box]\nproperties.a.b = \"c\"", "box.properties.a: is a table: write a key with dots in quotes"},
    {"[box]\npath = 1979-05-27", "found a date or a time"},
    {"[box]\npath = { }", "found a table"},
    {"box = 3", "f: line 1: box: is a table: write [box]; found a number"},
    {"[[box]]", "f: line 1: box: is a table: write [box]; found a list of 1"},
    {"[item]", "f: line 1: item: is a list of tables: write [[item]]; found a table"},
    {"item = [3]", "f: line 1: item: is a list of tables: write [[item]]"},
    {"\n[[item]]\nsize = 1", "f: line 2: item.name: is missing"},
};

TEST(reader, a_mistake_is_told_with_its_place_what_is_taken_and_what_was_found) {
  for (const auto& [text, expected] : wrongs) EXPECT_THAT(complaint(text), HasSubstr(expected)) << text;
}

TEST(reader, an_unknown_key_is_told_with_the_nearest_known_one) {
  EXPECT_EQ(complaint("[box]\nbytes_mx = 3"), "f: line 2: unknown key 'bytes_mx' in [box]: did you mean 'bytes_max'?");
  EXPECT_EQ(complaint("[[item]]\nname = \"a\"\nnaem = 1"),
            "f: line 3: unknown key 'naem' in [[item]]: did you mean 'name'?");
  EXPECT_EQ(complaint("[[item]]\nname = \"a\"\ncolour = 1"),
            "f: line 3: unknown key 'colour' in [[item]]: it takes name, size");
  EXPECT_EQ(mistake("[box]\nbytes_mx = 3").field, "box.bytes_mx");
}

TEST(reader, an_unknown_table_is_told_with_the_nearest_known_one) {
  EXPECT_EQ(complaint("\n[bax]"), "f: line 2: unknown table [bax]: did you mean [box]?");
  EXPECT_EQ(complaint("[[itme]]"), "f: line 1: unknown table [[itme]]: did you mean [[item]]?");
  EXPECT_EQ(complaint("[lake]"), "f: line 1: unknown table [lake]: the file takes [box], [[item]]");
  EXPECT_EQ(complaint("path = 3"),
            "f: line 1: unknown key 'path' before the first table: the file takes [box], "
            "[[item]]");
}

TEST(reader, of_several_mistakes_the_first_in_the_file_is_told) {
  EXPECT_THAT(complaint("[box]\nwait = \"x\"\nage = 3\n[a]"), StartsWith("f: line 2: box.wait"));
  EXPECT_THAT(complaint("[lake]\n[box]\nage = 3"), StartsWith("f: line 1: unknown table"));
}

TEST(reader, the_field_is_the_key) { EXPECT_EQ(mistake("[box]\ncount = 0").field, "box.count"); }

TEST(reader, a_secret_is_not_repeated) {
  EXPECT_THAT(complaint("[box]\ntoken = 12345"), HasSubstr("box.token: takes a text in quotes; found a number"));
  EXPECT_THAT(complaint("[box]\ntoken = 12345"), Not(HasSubstr("12345")));
}

TEST(reader, what_is_shown_is_short_and_of_one_line) {
  const std::string said = complaint("[box]\n\"a\\nb\\u001b\" = 1");
  EXPECT_THAT(said, HasSubstr("unknown key 'a?b?' in [box]"));
  EXPECT_LT(complaint("[box]\nmode = \"" + std::string(100'000, 'x') + "\"").size(), 200u);
  EXPECT_LT(complaint("[box]\n" + std::string(100'000, 'x') + " = 1").size(), 300u);
  const std::string twice = std::string(100'000, 'x') + " = 1\n";
  EXPECT_LT(complaint("[box]\n" + twice + twice).size(), 400u);
  // A long text is cut between characters.
  EXPECT_THAT(complaint("[box]\nmode = \"x" +
                        [] {
                          std::string text;
                          for (int i = 0; i < 40; ++i) text += "ö";
                          return text;
                        }() +
                        "\""),
              HasSubstr("ö...\""));
}

TEST(reader, what_is_no_toml_is_told_with_its_line) {
  EXPECT_THAT(complaint("[box\n"), StartsWith("f: line 1: "));
  EXPECT_THAT(complaint("[box]\ncount = 1\ncount = 2\n"), StartsWith("f: line 3: "));
  EXPECT_THAT(complaint("[box]\ncount = 1\ncount = 2\n"), HasSubstr("cannot redefine"));
  EXPECT_THAT(complaint("[box]\n[box]\n"), StartsWith("f: line 2: "));
  EXPECT_THAT(complaint("[box]\nanything = 9223372036854775808"), HasSubstr("not representable in 64 bits"));
  EXPECT_THAT(complaint("[box]\nmode = fast"), StartsWith("f: line 2: "));
  EXPECT_THAT(complaint("[box]\n\npath = \"caf\xe9\"\n"), StartsWith("f: line 3: "));
  EXPECT_THAT(complaint("[box]\n\npath = \"caf\xe9\"\n"), HasSubstr("utf-8"));
}

TEST(reader, deep_nesting_is_refused) {
  const auto many = [](std::string_view part, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += part;
    return text;
  };
  EXPECT_THAT(complaint("[box]\nanything = " + many("[", 500'000)), StartsWith("f: line 2: "));
  EXPECT_THAT(complaint("[box]\nanything = " + many("{a=", 300'000)), StartsWith("f: line 2: "));
  EXPECT_THAT(complaint("[box]\n" + many("a.", 500'000) + "a = 1"), HasSubstr("line 2: a key has at most 16 parts"));
  EXPECT_THAT(complaint("[" + many("a . ", 200'000) + "a]"), HasSubstr("a key has at most 16 parts"));
  EXPECT_THAT(complaint("[" + many("\"a\".", 200'000) + "a]"), HasSubstr("a key has at most 16 parts"));
  // 200 nested tables with keys of 16 parts are within the limits, and the parser's stack has to be enough for them.
  const std::string deepest = many(many("a.", 15) + "a = {", 200);
  EXPECT_THAT(complaint(deepest + "b = 1" + many("}", 200)), StartsWith("f: line 1: unknown table [a]"));
}

TEST(reader, any_truncation_and_any_flipped_bit_is_survived) {
  const std::string whole =
      "[box]\npath = \"/p\"\ngroups = [\"a\", 'b']\nproperties = { \"x.y\" = \"1\" }\n"
      "wait = \"1s\"\n[[item]]\nname = \"\"\"n\"\"\" # c\nsize = \"1K\"\n";
  for (std::size_t length = 0; length < whole.size(); ++length) (void)parse(whole.substr(0, length), "f", test_tables);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const std::string said = complaint(flipped);
    EXPECT_EQ(said.find('\n'), said.npos) << said;
  }
}

TEST(section, refuses_with_the_line_of_the_key_or_of_the_table) {
  const document file = good("[box]\n\npath = \"p\"");
  const auto said = [&](std::string_view key) {
    try {
      file.one("box").refuse(key, "is wrong");
    } catch (const error_exception& refused) {
      return refused.cause.text;
    }
  };
  EXPECT_EQ(said("path"), "f: line 3: box.path: is wrong");
  EXPECT_EQ(said("count"), "f: line 1: box.count: is wrong");
}

TEST(section, a_key_that_is_not_declared_or_of_another_kind_is_our_bug) {
  const document file = good("[box]\npath = \"p\"");
  EXPECT_DEATH(file.one("box").has("nothing"), "broken expectation");
  EXPECT_DEATH(file.one("box").number("path"), "box.path is read by its kind");
  EXPECT_DEATH(file.one("nothing"), "broken expectation");
}

}  // namespace
}  // namespace tidegate::settings
