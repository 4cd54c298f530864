#include "broker/model/durability.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using std::chrono::milliseconds;

TEST(durability, is_read_as_it_is_written) {
  EXPECT_EQ(to_text({}), "commit");
  EXPECT_EQ(to_text({milliseconds(500)}), "interval:500");
  EXPECT_EQ(*parse_durability("commit"), durability{});
  EXPECT_EQ(*parse_durability("interval:1"), durability{milliseconds(1)});
  EXPECT_EQ(*parse_durability("interval:3600000"), durability{std::chrono::hours(1)});
}

TEST(durability, has_bounds_and_no_other_words) {
  for (const char* const text : {"", "Commit", "interval", "interval:", "interval:0", "interval:-1", "interval:3600001",
                                 "interval:5s", "interval:99999999999999999999", "none"}) {
    const auto parsed = parse_durability(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, errc::invalid);
    EXPECT_THAT(parsed.error().text, testing::HasSubstr("interval:<ms>"));
  }
}

TEST(durability, memory_does_not_exist_and_says_so) {
  const auto parsed = parse_durability("memory");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, errc::unsupported);
  EXPECT_THAT(parsed.error().text, testing::HasSubstr("does not exist"));
}

}  // namespace
}  // namespace tidegate
