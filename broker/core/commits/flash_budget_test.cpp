#include "broker/core/commits/flash_budget.hpp"

#include <gtest/gtest.h>

namespace tidegate::core::commits {
namespace {

using std::chrono::hours;

TEST(flash_budget, allows_a_burst_and_then_evenly_up_to_the_budget) {
  const flash_budget budget(24'000);
  EXPECT_EQ(budget.allowed(hours(0)), 1'000u);
  EXPECT_EQ(budget.allowed(hours(12)), 12'500u);
  EXPECT_EQ(budget.allowed(hours(24)), 24'000u);
  EXPECT_EQ(budget.allowed(hours(30)), 24'000u);
}

TEST(flash_budget, says_when_it_affords_so_many) {
  const flash_budget budget(24'000);
  EXPECT_EQ(budget.affords(0), milliseconds(0));
  EXPECT_EQ(budget.affords(1'000), milliseconds(0));
  EXPECT_EQ(budget.affords(12'500), hours(12));
  EXPECT_EQ(budget.affords(24'000), hours(24));
  EXPECT_EQ(budget.affords(1'000'000), hours(24));
}

TEST(flash_budget, is_off_at_zero) {
  EXPECT_FALSE(flash_budget(0).is_set());
  EXPECT_TRUE(flash_budget(1).is_set());
}

}  // namespace
}  // namespace tidegate::core::commits
