#include "broker/core/commits/recent_commits.hpp"

#include <gtest/gtest.h>

namespace tidegate::core::commits {
namespace {

constexpr milliseconds start{100'000};

TEST(recent_commits, begin_with_nothing) {
  const auto none = recent_commits().at(start);
  EXPECT_EQ(none.per_second, 0);
  EXPECT_EQ(none.wait_mean_ms, 0);
  EXPECT_EQ(none.wait_max, milliseconds(0));
}

TEST(recent_commits, count_those_of_ten_seconds) {
  recent_commits commits;
  for (int i = 0; i < 200; ++i) commits.add(start + milliseconds(50 * i), std::nullopt);
  EXPECT_EQ(commits.at(start + milliseconds(10'000)).per_second, 20);
  EXPECT_EQ(commits.at(start + milliseconds(15'000)).per_second, 10);
  EXPECT_EQ(commits.at(start + milliseconds(21'000)).per_second, 0);
}

TEST(recent_commits, tell_the_mean_and_the_longest_wait_of_those_that_were_awaited) {
  recent_commits commits;
  commits.add(start, milliseconds(10));
  commits.add(start, std::nullopt);
  commits.add(start + milliseconds(5'000), milliseconds(40));
  EXPECT_EQ(commits.at(start + milliseconds(5'000)).wait_mean_ms, 25);
  EXPECT_EQ(commits.at(start + milliseconds(5'000)).wait_max, milliseconds(40));
  EXPECT_EQ(commits.at(start + milliseconds(12'000)).wait_mean_ms, 40);
  EXPECT_EQ(commits.at(start + milliseconds(30'000)).wait_max, milliseconds(0));
}

}  // namespace
}  // namespace tidegate::core::commits
