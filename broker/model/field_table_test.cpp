#include "broker/model/field_table.hpp"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

using namespace std::string_literals;

table_field field(char type, std::string_view value) { return {"f", type, value}; }

// One field of each type, with the bytes that the clause and RabbitMQ's clients give it.
const std::string every_type =
    "\1tt\1"s
    "\1bb\xff"s
    "\1BB\xff"s
    "\1ss\xff\xfe"s
    "\1uu\xff\xfe"s
    "\1II\xff\xff\xff\xfd"s
    "\1ii\xff\xff\xff\xfd"s
    "\1ll\xff\xff\xff\xff\xff\xff\xff\xfc"s
    "\1ff\x3f\xc0\0\0"s
    "\1dd\x3f\xf8\0\0\0\0\0\0"s
    "\1DD\2\0\0\0\x96"s
    "\1TT\0\0\0\0\0\0\0\5"s
    "\1SS\0\0\0\2hi"s
    "\1xx\0\0\0\1\xff"s
    "\1AA\0\0\0\4t\1b\7"s
    "\1FF\0\0\0\3\1kV"s
    "\1VV"s;

TEST(field_table, reads_every_type) {
  ASSERT_TRUE(check_table("arguments", every_type));
  const auto value = [](const char* name) { return find_field(every_type, name).value(); };
  EXPECT_EQ(value("t").boolean(), true);
  EXPECT_EQ(value("b").number(), -1);
  EXPECT_EQ(value("B").number(), 255);
  EXPECT_EQ(value("s").number(), -2);
  EXPECT_EQ(value("u").number(), 65'534);
  EXPECT_EQ(value("I").number(), -3);
  EXPECT_EQ(value("i").number(), 4'294'967'293);
  EXPECT_EQ(value("l").number(), -4);
  EXPECT_EQ(value("f").real(), 1.5);
  EXPECT_EQ(value("d").real(), 1.5);
  EXPECT_EQ(value("D").real(), 1.5);
  EXPECT_EQ(value("T").number(), 5);
  EXPECT_EQ(value("S").text(), "hi");
  EXPECT_EQ(value("x").text(), "\xff");
  EXPECT_EQ(value("A").value, "t\1b\7"s);
  EXPECT_EQ(value("F").value, "\1kV"s);
  EXPECT_EQ(value("V").value, "");
  EXPECT_FALSE(find_field(every_type, "none"));
  EXPECT_FALSE(value("S").number() || value("t").number() || value("l").text() || value("l").boolean());
}

TEST(field_table, is_written_as_it_is_read) {
  std::string copy;
  table_reader reader(every_type);
  for (table_field one; reader.next(one);) append_field(copy, one);
  EXPECT_FALSE(reader.failed());
  EXPECT_EQ(copy, every_type);
}

TEST(field_table, refuses_what_is_cut_off_or_of_unknown_type) {
  for (std::size_t size = 1; size < every_type.size(); ++size) {
    const std::string cut = every_type.substr(0, size);
    table_reader reader(cut);
    table_field one;
    std::size_t end = 0;
    while (reader.next(one)) end = static_cast<std::size_t>(one.value.data() + one.value.size() - cut.data());
    EXPECT_EQ(static_cast<bool>(check_table("arguments", cut)), end == size) << size;
  }
  EXPECT_EQ(check_table("arguments", "\1fZ").error().field, "arguments");
  EXPECT_FALSE(check_table("arguments", "\1fA\0\0\0\1Z"s)) << "inside an array";
}

TEST(field_table, nests_to_a_bound) {
  const auto nested = [](int levels) {
    std::string table;
    for (int i = 1; i < levels; ++i) {
      std::string outer;
      append_field(outer, {"f", 'F', table});
      table = outer;
    }
    return table;
  };
  EXPECT_TRUE(check_table("arguments", nested(16)));
  EXPECT_FALSE(check_table("arguments", nested(17)));
}

TEST(field_table, compares_values_and_not_their_widths) {
  EXPECT_TRUE(is_same_value(field('B', "\7"), field('l', "\0\0\0\0\0\0\0\7"s)));
  EXPECT_FALSE(is_same_value(field('B', "\7"), field('B', "\x8")));
  EXPECT_TRUE(is_same_value(field('B', "\2"), field('d', "\x40\0\0\0\0\0\0\0"s)));
  EXPECT_TRUE(is_same_value(field('S', "a"), field('x', "a")));
  EXPECT_FALSE(is_same_value(field('S', "7"), field('B', "\7")));
  EXPECT_FALSE(is_same_value(field('t', "\1"), field('B', "\1")));
  EXPECT_TRUE(is_same_value(field('V', ""), field('V', "")));
}

}  // namespace
}  // namespace tidegate
