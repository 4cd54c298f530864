#include "broker/core/commits/pace.hpp"

#include <gtest/gtest.h>

namespace tidegate::core::commits {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t commit_bytes = 20'000;

class hand_meter final : public flash_meter {
 public:
  std::optional<std::uint64_t> bytes_written() const override { return bytes; }
  std::optional<std::uint64_t> bytes = 0;
};

// A pace with a writer that needs no time, and a meter to which each commit adds the same number of bytes.
class paced {
 public:
  explicit paced(pace_options options) : pace_(std::move(options), clock_, 0) { pace_.flash().measure_by(meter_); }

  pace* operator->() { return &pace_; }
  void pass(std::int64_t ms) { clock_.advance(milliseconds(ms)); }
  void commit() {
    pace_.handed_over();
    *meter_.bytes += commit_bytes;
    ++commits_;
    pace_.committed(true);
  }
  // Publishes at regular intervals with the pace's linger, and commits when the pace allows it.
  void load(milliseconds time, milliseconds between) {
    milliseconds next = clock_.monotonic();
    for (const milliseconds end = next + time; clock_.monotonic() < end;) {
      if (clock_.monotonic() >= next) {
        next += between;
        pace_.awaited();
        pace_.note(pace_.options().linger);
      }
      if (pace_.has_work() && pace_.wait().count() == 0) commit();
      const milliseconds wait = pace_.has_work() ? pace_.wait() : milliseconds::max();
      clock_.advance(std::clamp(wait, milliseconds(1), std::max(next - clock_.monotonic(), milliseconds(1))));
    }
  }
  std::uint64_t written() const { return *meter_.bytes; }
  int commits() const { return commits_; }
  hand_meter& meter() { return meter_; }

 private:
  manual_clock clock_;
  hand_meter meter_;
  pace pace_;
  int commits_ = 0;
};

pace_options limited(std::uint32_t per_second_max) {
  pace_options options;
  options.per_second_max = per_second_max;
  return options;
}

pace_options budgeted(std::uint64_t bytes_per_day, milliseconds linger_max = milliseconds(1'000)) {
  pace_options options;
  options.budget_bytes_per_day = bytes_per_day;
  options.linger_max = linger_max;
  return options;
}

TEST(pace, without_knobs_holds_nothing_back) {
  paced pace({});
  EXPECT_FALSE(pace->has_work());
  EXPECT_TRUE(pace->note(milliseconds(0)));
  EXPECT_FALSE(pace->note(milliseconds(0)));
  EXPECT_EQ(pace->wait(), milliseconds(0));
  pace.commit();
  EXPECT_FALSE(pace->has_work());
  EXPECT_TRUE(pace->note(milliseconds(0)));
  EXPECT_EQ(pace->wait(), milliseconds(0));
  EXPECT_EQ(pace->budget_state(), "off");
}

TEST(pace, keeps_the_earliest_deadline) {
  paced pace({});
  EXPECT_TRUE(pace->note(milliseconds(500)));
  pace.pass(100);
  EXPECT_FALSE(pace->note(milliseconds(500)));
  EXPECT_FALSE(pace->note(milliseconds(450)));
  EXPECT_EQ(pace->wait(), milliseconds(400));
  EXPECT_TRUE(pace->note(milliseconds(50)));
  EXPECT_EQ(pace->wait(), milliseconds(50));
  pace.pass(60);
  EXPECT_EQ(pace->wait(), milliseconds(0));
}

TEST(pace, can_be_hurried) {
  paced pace(limited(1));
  pace.commit();
  pace->note(milliseconds(500));
  pace->hurry();
  EXPECT_EQ(pace->wait(), milliseconds(0));
  pace->dismissed();
  EXPECT_FALSE(pace->has_work());
}

TEST(pace, counts_the_commits_of_a_second) {
  for (const std::uint32_t most : {1u, 7u, 20u, 300u}) {
    paced pace(limited(most));
    pace.load(seconds(10), milliseconds(1));
    EXPECT_NEAR(pace.commits(), 10 * most, 2) << most;
  }
}

TEST(pace, lets_a_lone_publish_go_at_once) {
  paced pace(limited(20));
  for (int i = 0; i < 10; ++i) {
    pace->note(milliseconds(0));
    EXPECT_EQ(pace->wait(), milliseconds(0));
    pace.commit();
    pace.pass(50);
  }
  pace.pass(10'000);  // unused commits are not saved up
  pace->note(milliseconds(0));
  pace.commit();
  pace->note(milliseconds(0));
  EXPECT_EQ(pace->wait(), milliseconds(49));
}

TEST(pace, a_group_that_wrote_nothing_is_no_commit) {
  paced pace(limited(1));
  pace->note(milliseconds(0));
  pace->handed_over();
  pace->committed(false);
  pace->note(milliseconds(0));
  EXPECT_EQ(pace->wait(), milliseconds(0));
  EXPECT_EQ(pace->lately().per_second, 0);
}

TEST(pace, tells_what_those_who_are_answered_waited) {
  pace_options options;
  options.linger = milliseconds(30);
  paced pace(options);
  pace->note(milliseconds(50));  // an acknowledgement: nobody waits for it
  pace.pass(20);
  pace->awaited();
  pace->note(milliseconds(30));
  pace.pass(30);
  pace.commit();
  EXPECT_EQ(pace->lately().wait_mean_ms, 30);
  EXPECT_EQ(pace->lately().wait_max, milliseconds(30));
}

TEST(pace, waiting_for_the_writer_is_not_the_paces) {
  paced pace({});
  pace->note(milliseconds(0));
  pace->handed_over();
  pace->awaited();
  pace->note(milliseconds(0));
  pace.pass(8);  // a slow card
  pace->committed(true);
  pace.commit();
  EXPECT_EQ(pace->lately().wait_max, milliseconds(0));
}

TEST(pace, keeps_a_busy_day_within_the_budget) {
  // 864 MB a day are one commit of 20 kB every two seconds; each commit holds 100 publishes.
  paced pace(budgeted(864'000'000, milliseconds(5'000)));
  pace.load(hours(24) - minutes(1), milliseconds(20));
  EXPECT_LE(pace.written(), 864'000'000u);
  EXPECT_GE(pace.written(), 850'000'000u);  // and the budget is used
  EXPECT_EQ(pace->budget_state(), "stretching");
  EXPECT_GT(pace->linger_in_force(), milliseconds(1'900));
  EXPECT_LE(pace->lately().wait_max, milliseconds(5'000));
}

TEST(pace, says_when_it_cannot_keep_the_budget_and_goes_on) {
  paced pace(budgeted(864'000'000, milliseconds(500)));
  pace.load(hours(2), milliseconds(20));
  EXPECT_GT(pace.written(), 2 * 864'000'000u / 24 + 864'000'000u / 24);
  EXPECT_EQ(pace->budget_state(), "exceeded");
  EXPECT_EQ(pace->linger_in_force(), milliseconds(500));
  EXPECT_GE(pace->lately().per_second, 1.8);
}

TEST(pace, does_not_stretch_what_the_budget_affords) {
  paced pace(budgeted(864'000'000));
  pace.load(minutes(30), milliseconds(10'000));
  EXPECT_EQ(pace.commits(), 180);
  EXPECT_EQ(pace->budget_state(), "kept");
  EXPECT_EQ(pace->linger_in_force(), milliseconds(0));
  EXPECT_EQ(pace->lately().wait_max, milliseconds(0));
}

TEST(pace, begins_every_day_anew) {
  paced pace(budgeted(86'400'000, milliseconds(200)));
  pace.load(hours(1), milliseconds(100));
  EXPECT_EQ(pace->budget_state(), "exceeded");
  pace.pass(std::chrono::duration_cast<milliseconds>(hours(23)).count());
  pace->flash().measure();
  pace.load(minutes(1), milliseconds(2'000));
  EXPECT_EQ(pace->budget_state(), "kept");
}

TEST(pace, stretches_nothing_by_figures_it_does_not_have) {
  paced pace(budgeted(1));
  pace.meter().bytes.reset();
  pace.pass(1'000);
  pace->flash().measure();
  pace->note(milliseconds(0));
  EXPECT_EQ(pace->wait(), milliseconds(0));
  EXPECT_EQ(pace->budget_state(), "unknown");
}

}  // namespace
}  // namespace tidegate::core::commits
