#include "broker/base/settings/units.hpp"

#include <gtest/gtest.h>

namespace tidegate::settings {
namespace {

using namespace std::chrono_literals;

TEST(units, sizes_are_read) {
  EXPECT_EQ(parse_size("1K"), 1'024u);
  EXPECT_EQ(parse_size("64M"), 64u << 20);
  EXPECT_EQ(parse_size("2G"), 2ull << 30);
  EXPECT_EQ(parse_size("0K"), 0u);
  EXPECT_EQ(parse_size("4294967296G"), size_max);
}

TEST(units, durations_are_read) {
  EXPECT_EQ(parse_duration("50ms"), 50ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("2m"), 2min);
  EXPECT_EQ(parse_duration("12h"), 12h);
  EXPECT_EQ(parse_duration("7d"), 7 * 24h);
  EXPECT_EQ(parse_duration("86400000d"), duration_max);
}

TEST(units, everything_else_is_refused) {
  for (const char* const text : {"", "64", "M", "-1M", "+1M", " 1M", "1M ", "1 M", "1T", "1k", "1.5M", "0x1M",
                                 "4294967297G", "18446744073709551616K", "99999999999999999999G"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
  for (const char* const text :
       {"", "5", "ms", "-1s", "1 s", "1S", "1w", "1.5s", "86400001d", "18446744073709551615d"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(units, are_written_as_short_as_they_are_exact) {
  EXPECT_EQ(write_size(0), "0");
  EXPECT_EQ(write_size(1'000), "1000");
  EXPECT_EQ(write_size(16'384), "16K");
  EXPECT_EQ(write_size(1u << 20), "1M");
  EXPECT_EQ(write_size(1ull << 44), "16384G");
  EXPECT_EQ(write_duration(0ms), "0ms");
  EXPECT_EQ(write_duration(1'500ms), "1500ms");
  EXPECT_EQ(write_duration(90s), "90s");
  EXPECT_EQ(write_duration(48h), "2d");
}

}  // namespace
}  // namespace tidegate::settings
