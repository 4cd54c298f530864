#include "broker/model/durability.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using std::chrono::milliseconds;

TEST(durability, is_read_as_it_is_written) {
  EXPECT_EQ(to_text({}), "commit");
  EXPECT_EQ(to_text(durability::every(milliseconds(500))), "interval:500");
  EXPECT_EQ(to_text(durability::memory()), "memory");
  EXPECT_EQ(*parse_durability("commit"), durability{});
  EXPECT_EQ(*parse_durability("interval:1"), durability::every(milliseconds(1)));
  EXPECT_EQ(*parse_durability("interval:3600000"), durability::every(std::chrono::hours(1)));
  EXPECT_EQ(*parse_durability("memory"), durability::memory());
}

TEST(durability, has_bounds_and_no_other_words) {
  for (const char* const text : {"", "Commit", "interval", "interval:", "interval:0", "interval:-1", "interval:3600001",
                                 "interval:5s", "interval:99999999999999999999", "none", "memory:1"}) {
    const auto parsed = parse_durability(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, errc::invalid);
    EXPECT_THAT(parsed.error().text, testing::HasSubstr("interval:<ms>"));
  }
}

}  // namespace
}  // namespace tidegate
