#include "bridge/record_times.hpp"

#include <gtest/gtest.h>

namespace tidegate::bridge {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr milliseconds twenty_years = hours(24 * 7'305);

struct record_times_test : testing::Test {
  manual_clock clock;
  record_times times{{}, clock};
  std::int64_t now(milliseconds plus = {}) const { return (clock.wall() + plus).count(); }
};

TEST_F(record_times_test, a_backlog_keeps_its_times) {
  EXPECT_EQ(times.corrected(now()), std::nullopt);
  EXPECT_EQ(times.corrected(now(minutes(29))), std::nullopt);
  EXPECT_EQ(times.corrected(now(-hours(24 * 365))), std::nullopt);
}

TEST_F(record_times_test, a_time_years_off_becomes_the_time_of_arrival) {
  EXPECT_EQ(times.corrected(now(twenty_years)), now());
  EXPECT_EQ(times.corrected(now(minutes(31))), now());
  EXPECT_EQ(times.corrected(0), now());  // 1970
}

// Compared with a clock that started in 1970, every good timestamp is years off.
TEST_F(record_times_test, an_untrusted_clock_corrects_nothing_by_itself) {
  const std::int64_t good = now();
  clock.trust_wall(false);
  clock.set_wall(milliseconds(5'000));
  EXPECT_EQ(times.corrected(good), std::nullopt);
}

TEST_F(record_times_test, what_was_refused_is_corrected_to_what_was_taken) {
  const std::int64_t good = now(), in_error = now(twenty_years);
  clock.trust_wall(false);
  clock.set_wall(milliseconds(5'000));
  times.accepted(good);
  times.refused(in_error);
  EXPECT_EQ(times.corrected(in_error), good);
  EXPECT_EQ(times.corrected(in_error + 1), good);
  EXPECT_EQ(times.corrected(good + 3'600'000), std::nullopt);
  times.refused(10'000);
  EXPECT_EQ(times.corrected(9'999), good);
  EXPECT_EQ(times.corrected(good), std::nullopt);
}

TEST_F(record_times_test, a_refusal_for_being_ahead_ends_when_the_time_has_come) {
  const std::int64_t soon = now(minutes(10));
  times.refused(soon);  // by a destination that is stricter than our bounds
  EXPECT_EQ(times.corrected(soon), now());
  clock.advance(minutes(20));
  times.accepted(now());
  EXPECT_EQ(times.corrected(soon), std::nullopt);
}

// The destination accepts records that are at most a day old, and the link was down for three days.
TEST_F(record_times_test, a_strict_bound_behind_is_found_in_a_few_refusals) {
  times.accepted(now(-hours(80)));
  int refusals = 0;
  for (milliseconds age = hours(72); age >= hours(0); age -= minutes(1)) {
    const std::int64_t time = times.corrected(now(-age)).value_or(now(-age));
    if (time >= now(-hours(24))) continue;
    ++refusals;
    times.refused(now(-age));
    ASSERT_EQ(times.corrected(now(-age)), now());
  }
  EXPECT_GT(refusals, 0);
  EXPECT_LT(refusals, 20);
  EXPECT_EQ(times.corrected(now(-hours(12))), std::nullopt);
}

}  // namespace
}  // namespace tidegate::bridge
