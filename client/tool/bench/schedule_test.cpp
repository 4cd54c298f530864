#include "client/tool/bench/schedule.hpp"

#include <gmock/gmock.h>

namespace tidegate::tool::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

const schedule::time_point begin{seconds(1'000)};

TEST(schedule, shares_the_rate_among_its_members_in_turn) {
  const schedule first(begin, 1'000, 0, 2), second(begin, 1'000, 1, 2);
  EXPECT_EQ(first.at(0), begin);
  EXPECT_EQ(second.at(0), begin + microseconds(1'000));
  EXPECT_EQ(first.at(1), begin + microseconds(2'000));
  EXPECT_EQ(second.at(1), begin + microseconds(3'000));
}

TEST(schedule, does_not_drift) {
  const schedule thirds(begin, 3, 0, 1);
  EXPECT_EQ(thirds.at(3'000'000), begin + seconds(1'000'000));
  const schedule fast(begin, 1e6, 0, 1);
  EXPECT_EQ(fast.at(86'400'000'000), begin + seconds(86'400));
}

TEST(schedule, counts_what_is_due_before_an_end) {
  const schedule first(begin, 10, 0, 3), last(begin, 10, 2, 3);
  EXPECT_EQ(first.due_before(begin + seconds(1)), 4u);  // 0, 0.3, 0.6, 0.9
  EXPECT_EQ(last.due_before(begin + seconds(1)), 3u);   // 0.2, 0.5, 0.8
  EXPECT_EQ(last.due_before(begin), 0u);
  EXPECT_LT(first.at(3), begin + seconds(1));
  EXPECT_GE(first.at(4), begin + seconds(1));
}

}  // namespace
}  // namespace tidegate::tool::bench
