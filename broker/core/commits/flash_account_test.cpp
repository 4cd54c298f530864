#include "broker/core/commits/flash_account.hpp"

#include <gtest/gtest.h>

namespace tidegate::core::commits {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t mib = 1 << 20;

class hand_meter final : public flash_meter {
 public:
  std::optional<std::uint64_t> bytes_written() const override {
    ++readings;
    return bytes;
  }
  std::optional<std::uint64_t> bytes = 0;
  mutable int readings = 0;
};

class flash_accounts : public testing::Test {
 protected:
  void write(std::uint64_t bytes) { *meter_.bytes += bytes; }
  void pass(milliseconds time) {
    clock_.advance(time);
    account_.measure();
  }

  manual_clock clock_;
  hand_meter meter_;
  flash_account account_{clock_, 5 * mib};
};

TEST_F(flash_accounts, know_nothing_without_a_reading) {
  account_.measure();
  meter_.bytes.reset();
  account_.measure_by(meter_);
  pass(hours(1));
  EXPECT_FALSE(account_.is_known());
  EXPECT_FALSE(account_.since_start());
  EXPECT_FALSE(account_.today());
  EXPECT_FALSE(account_.since_made());
  EXPECT_FALSE(account_.per_day());
  EXPECT_EQ(account_.today_estimate(), 0u);
  meter_.bytes = 100 * mib;  // bytes written before the first reading count for no day
  pass(seconds(1));
  EXPECT_EQ(account_.today(), 0u);
}

TEST_F(flash_accounts, count_since_the_start_today_and_since_the_store_was_made) {
  write(64 * mib);  // filling the file
  account_.measure_by(meter_);
  write(mib);
  pass(seconds(1));
  EXPECT_EQ(account_.since_start(), 65 * mib);
  EXPECT_EQ(account_.today(), mib);
  EXPECT_EQ(account_.since_made(), 70 * mib);
}

TEST_F(flash_accounts, read_the_meter_once_a_second_at_most) {
  account_.measure_by(meter_);
  for (int i = 0; i < 3'000; ++i) pass(milliseconds(1));
  EXPECT_EQ(meter_.readings, 4);
}

TEST_F(flash_accounts, project_a_day_from_this_one_and_the_one_before) {
  account_.measure_by(meter_);
  write(mib);
  pass(seconds(59));
  EXPECT_FALSE(account_.per_day());
  pass(seconds(1));
  EXPECT_EQ(account_.per_day(), 24 * 60 * mib);
  write(47 * mib);
  pass(hours(24) - minutes(1));
  EXPECT_EQ(account_.today(), 0u);  // the next day has started
  EXPECT_EQ(account_.per_day(), 48 * mib);
  write(24 * mib);
  pass(hours(12));
  EXPECT_EQ(account_.today(), 24 * mib);
  EXPECT_EQ(account_.per_day(), 48 * mib);
  pass(hours(24));  // an idle day
  EXPECT_EQ(account_.per_day(), 16 * mib);
}

TEST_F(flash_accounts, estimate_what_the_newest_commits_cost) {
  account_.measure_by(meter_);
  EXPECT_EQ(account_.commit_cost(), 0u);
  account_.committed();
  account_.committed();
  write(40'000);
  pass(seconds(1));
  EXPECT_EQ(account_.commit_cost(), 20'000u);
  account_.committed();
  EXPECT_EQ(account_.today_estimate(), 60'000u);
  write(28'000);
  pass(seconds(1));
  EXPECT_EQ(account_.commit_cost(), 21'000u);
  EXPECT_EQ(account_.today_estimate(), 68'000u);
}

}  // namespace
}  // namespace tidegate::core::commits
