#include "broker/core/commits/timeline.hpp"

#include <gmock/gmock.h>

namespace tidegate::core::commits {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr hours ten_years{24 * 3'652};

struct gateway_test : testing::Test {
  manual_clock clock;
  store::commit_time last;

  // Runs a process for a while. Returns the time noted with its last commit.
  store::commit_time run(milliseconds how_long) {
    timeline timeline(last, clock);
    timeline.now();
    clock.advance(how_long);
    return last = timeline.now();
  }
};

using timeline_test = gateway_test;

// Lets time pass while the timeline is asked every five seconds, as commits do.
void pass(timeline& timeline, manual_clock& clock, milliseconds how_long) {
  for (; how_long.count() > 0; how_long -= seconds(5)) {
    timeline.now();
    clock.advance(seconds(5));
  }
}

// Time after which a trusted clock counts.
constexpr milliseconds a_while = std::chrono::minutes(11);

TEST_F(timeline_test, a_new_store_starts_at_nothing_and_at_the_wall_clock) {
  clock.trust_wall(false);
  timeline timeline(last, clock);
  EXPECT_EQ(timeline.now().lifetime, seconds(0));
  EXPECT_EQ(timeline.wall(), clock.wall());
  EXPECT_FALSE(timeline.is_wall_trusted());
}

TEST_F(timeline_test, a_restart_within_one_boot_counts_what_passed_whatever_the_wall_clock_does) {
  for (const bool trusted : {true, false}) {
    clock.trust_wall(trusted);
    last = {};
    run(seconds(100));
    clock.advance(seconds(50));
    clock.set_wall(clock.wall() + ten_years);
    EXPECT_EQ(run(seconds(7)).lifetime, seconds(157));
  }
}

TEST_F(timeline_test, a_jump_of_the_wall_clock_is_no_time) {
  timeline timeline(last, clock);
  const milliseconds before = timeline.now().lifetime;
  for (const milliseconds jump : {milliseconds(ten_years), -milliseconds(ten_years)}) {
    clock.set_wall(clock.wall() + jump);
    EXPECT_EQ(timeline.now().lifetime, before);
  }
  // A clock that stands still does not make records live for ever.
  const milliseconds frozen = clock.wall();
  clock.advance(hours(5));
  clock.set_wall(frozen);
  EXPECT_EQ(timeline.now().lifetime, before + hours(5));
}

TEST_F(timeline_test, a_boot_with_trust_on_both_sides_counts_the_time_away) {
  run(seconds(100));
  clock.reboot(hours(30));
  timeline timeline(last, clock);
  pass(timeline, clock, a_while);
  EXPECT_EQ(timeline.now().lifetime, seconds(100) + a_while + hours(30));
}

// The clock is twenty years ahead for a moment, as was seen when a GPS receiver started.
TEST_F(timeline_test, a_trusted_clock_that_errs_for_a_moment_after_a_boot_is_not_believed) {
  run(seconds(100));
  clock.reboot(hours(30) + 2 * ten_years);
  timeline timeline(last, clock);
  pass(timeline, clock, seconds(10));
  EXPECT_EQ(timeline.now().lifetime, seconds(110));
  clock.set_wall(clock.wall() - 2 * ten_years);
  pass(timeline, clock, seconds(10));
  clock.trust_wall(false);
  pass(timeline, clock, a_while);
  EXPECT_EQ(timeline.now().lifetime, seconds(120) + a_while);
  clock.trust_wall(true);
  pass(timeline, clock, a_while);
  EXPECT_EQ(timeline.now().lifetime, seconds(120) + 2 * a_while + hours(30));
}

TEST_F(timeline_test, trust_that_comes_late_counts_the_time_away_once) {
  run(seconds(100));
  const milliseconds off_at = clock.wall();
  clock.reboot();
  clock.set_wall(milliseconds(0));  // 1970: no battery
  clock.trust_wall(false);
  timeline timeline(last, clock);
  clock.advance(seconds(60));
  EXPECT_EQ(timeline.now().lifetime, seconds(160));
  EXPECT_EQ(timeline.wall(), off_at + seconds(60));
  clock.set_wall(off_at + hours(2));
  clock.trust_wall(true);
  EXPECT_EQ(timeline.now().lifetime, seconds(160));
  pass(timeline, clock, a_while);
  EXPECT_EQ(timeline.now().lifetime, seconds(100) + hours(2) + a_while);
  EXPECT_EQ(timeline.wall(), off_at + hours(2) + a_while);
  clock.set_wall(clock.wall() + ten_years);
  pass(timeline, clock, a_while);
  EXPECT_EQ(timeline.now().lifetime, seconds(100) + hours(2) + 2 * a_while);
}

TEST_F(timeline_test, without_trust_before_or_after_a_boot_nothing_has_passed) {
  for (const bool trusted_before : {true, false}) {
    last = {};
    clock.trust_wall(trusted_before);
    run(seconds(100));
    clock.reboot(ten_years);
    clock.trust_wall(!trusted_before);
    const milliseconds lifetime = run(seconds(5)).lifetime;
    EXPECT_EQ(lifetime, seconds(105));
  }
}

TEST_F(timeline_test, an_earlier_trusted_time_takes_nothing_away) {
  run(seconds(100));
  clock.reboot(-milliseconds(ten_years));
  EXPECT_EQ(run(seconds(5)).lifetime, seconds(105));
}

TEST_F(timeline_test, without_trust_time_goes_on_from_the_last_one_known) {
  const milliseconds end = run(seconds(100)).wall;
  clock.reboot(ten_years);
  clock.trust_wall(false);
  EXPECT_EQ(run(seconds(10)).wall, end + seconds(10));
  EXPECT_FALSE(last.wall_trusted);
}

TEST_F(timeline_test, trust_that_is_lost_leaves_a_good_estimate) {
  timeline timeline(last, clock);
  const milliseconds wall = timeline.wall();
  clock.trust_wall(false);
  clock.advance(seconds(5));
  clock.set_wall(wall + ten_years);
  EXPECT_EQ(timeline.wall(), wall + seconds(5));
}

}  // namespace
}  // namespace tidegate::core::commits
