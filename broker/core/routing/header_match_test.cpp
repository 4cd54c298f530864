#include "broker/core/routing/header_match.hpp"

#include <gtest/gtest.h>

#include "broker/model/properties.hpp"

namespace tidegate::core::routing {
namespace {

class header_matching : public testing::Test {
 protected:
  // The message has plant = "a", level = 7 among its properties, and the plain header unit = "C".
  header_matching() {
    append_text(table_, "plant", "a");
    append_number(table_, "level", 7);
    append_text(table_, "x-trace", "on");
    properties properties;
    properties.headers = table_;
    encoded_ = encode(properties);
    message_.properties = encoded_;
    message_.headers = {{"unit", "C"}};
  }
  bool is_match(const std::string& arguments) {
    return header_match::parse(arguments).value().matches(headers_of(message_));
  }
  static std::string with(std::string_view how, std::string arguments = {}) {
    append_text(arguments, "x-match", how);
    return arguments;
  }

  std::string table_, encoded_;
  message_view message_;
};

TEST_F(header_matching, all_needs_each_of_its_headers) {
  std::string arguments;
  EXPECT_TRUE(is_match(arguments)) << "no argument asks for nothing";
  append_text(arguments, "plant", "a");
  append_number(arguments, "level", 7);
  append_text(arguments, "unit", "C");
  EXPECT_TRUE(is_match(arguments));
  EXPECT_TRUE(is_match(with("all", arguments)));
  append_text(arguments, "missing", "");
  EXPECT_FALSE(is_match(arguments));
}

TEST_F(header_matching, any_needs_one_of_its_headers) {
  EXPECT_FALSE(is_match(with("any")));
  std::string arguments;
  append_text(arguments, "plant", "b");
  EXPECT_FALSE(is_match(with("any", arguments)));
  append_number(arguments, "level", 7);
  EXPECT_TRUE(is_match(with("any", arguments)));
}

TEST_F(header_matching, names_that_start_with_x_count_only_when_asked) {
  std::string arguments;
  append_text(arguments, "x-trace", "off");
  EXPECT_TRUE(is_match(with("all", arguments)));
  EXPECT_FALSE(is_match(with("all-with-x", arguments)));
  EXPECT_FALSE(is_match(with("any", arguments)));
  std::string same;
  append_text(same, "x-trace", "on");
  EXPECT_FALSE(is_match(with("any", same)));
  EXPECT_TRUE(is_match(with("any-with-x", same)));
}

TEST_F(header_matching, an_argument_without_a_value_asks_for_the_name) {
  std::string arguments;
  append_field(arguments, {"level", 'V', {}});
  EXPECT_TRUE(is_match(arguments));
  append_field(arguments, {"missing", 'V', {}});
  EXPECT_FALSE(is_match(arguments));
}

TEST_F(header_matching, numbers_match_by_value_and_never_texts) {
  std::string byte, text;
  append_field(byte, {"level", 'B', "\x07"});
  EXPECT_TRUE(is_match(byte));
  append_text(text, "level", "7");
  EXPECT_FALSE(is_match(text));
}

TEST_F(header_matching, refuses_arguments_that_say_nothing) {
  EXPECT_EQ(header_match::parse(with("some")).error().code, errc::precondition);
  EXPECT_EQ(header_match::parse(with("some")).error().field, "x-match");
  std::string number;
  append_number(number, "x-match", 1);
  EXPECT_EQ(header_match::parse(number).error().field, "x-match");
  EXPECT_EQ(header_match::parse("\x05"
                                "plant")
                .error()
                .code,
            errc::invalid);
}

}  // namespace
}  // namespace tidegate::core::routing
