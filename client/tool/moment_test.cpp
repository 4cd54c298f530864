#include "client/tool/moment.hpp"

#include <gtest/gtest.h>

#include "client/values.hpp"

namespace tidegate::tool {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point now{1'700'000'000s};

TEST(moment, takes_the_ends) {
  EXPECT_EQ(parse_moment("start", now)->timestamp_ms, client::timestamp_start);
  EXPECT_EQ(parse_moment("end", now)->timestamp_ms, client::timestamp_end);
}

TEST(moment, takes_offsets) {
  EXPECT_EQ(parse_moment("0", now)->offset, 0u);
  EXPECT_EQ(parse_moment("18446744073709551615", now)->offset, ~std::uint64_t{0});
}

TEST(moment, takes_times_back_from_now) {
  EXPECT_EQ(parse_moment("-30s", now)->timestamp_ms, 1'699'999'970'000);
  EXPECT_EQ(parse_moment("-10m", now)->timestamp_ms, 1'699'999'400'000);
  EXPECT_EQ(parse_moment("-7d", now)->timestamp_ms, 1'699'395'200'000);
  EXPECT_EQ(parse_moment("-1000000d", now)->timestamp_ms, 0);
}

TEST(moment, takes_iso_times) {
  EXPECT_EQ(parse_moment("2024-05-01", now)->timestamp_ms, 1'714'521'600'000);
  EXPECT_EQ(parse_moment("2024-05-01T12:30", now)->timestamp_ms, 1'714'566'600'000);
  EXPECT_EQ(parse_moment("2024-05-01 12:30:05Z", now)->timestamp_ms, 1'714'566'605'000);
  EXPECT_EQ(parse_moment("2024-05-01T12:30:05.25Z", now)->timestamp_ms, 1'714'566'605'250);
  EXPECT_EQ(parse_moment("2024-05-01T12:30:05.1239+02:00", now)->timestamp_ms, 1'714'559'405'123);
  EXPECT_EQ(parse_moment("2024-05-01T12:30-01:30", now)->timestamp_ms, 1'714'572'000'000);
}

TEST(moment, refuses_everything_else) {
  for (const char* text : {"", "-", "-10", "-10x", "soon", "1.5", "2024-13-01", "2024-02-30", "2024-05-01T", "2024-5-1",
                           "2024-05-01T25:00", "2024-05-01T12:30:05.", "2024-05-01T12:30:05+2", "2024-05-01T12:30 Z",
                           "2024-05-01T12:30Zz", "1900-01-01", "-99999999999999999999d"}) {
    EXPECT_FALSE(parse_moment(text, now)) << text;
  }
}

TEST(moment, takes_durations_and_sizes) {
  EXPECT_EQ(parse_duration("500ms").value(), 500ms);
  EXPECT_EQ(parse_duration("90s").value(), 90s);
  EXPECT_EQ(parse_duration("2h").value(), 2h);
  EXPECT_EQ(parse_bytes("1000").value(), 1000u);
  EXPECT_EQ(parse_bytes("64K").value(), 65'536u);
  EXPECT_EQ(parse_bytes("2G").value(), 2'147'483'648u);
  for (const char* text : {"", "K", "1T", "-1K", "99999999999G"}) EXPECT_FALSE(parse_bytes(text)) << text;
  for (const char* text : {"", "s", "10", "1y", "-1s", "9999999999999999999s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(moment, writes_iso_times) {
  EXPECT_EQ(to_iso_time(1'714'566'605'250), "2024-05-01T12:30:05.250Z");
  EXPECT_EQ(to_iso_time(0), "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace tidegate::tool
