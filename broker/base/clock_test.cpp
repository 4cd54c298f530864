#include "broker/base/clock.hpp"

#include <gtest/gtest.h>
#include <sys/timex.h>

namespace tidegate {
namespace {

TEST(clock, is_synchronised_only_where_the_kernel_says_so) {
  EXPECT_TRUE(is_synchronised(TIME_OK, 0));
  EXPECT_TRUE(is_synchronised(TIME_INS, STA_PLL));
  EXPECT_FALSE(is_synchronised(TIME_OK, STA_UNSYNC));
  EXPECT_FALSE(is_synchronised(TIME_ERROR, 0));
  EXPECT_FALSE(is_synchronised(-1, 0));  // EPERM in a container: the status was never filled in
}

TEST(clock, does_not_ask_the_kernel_where_the_operator_has_said) {
  EXPECT_TRUE(system_clock(wall_trust::always).is_wall_trusted());
  EXPECT_FALSE(system_clock(wall_trust::never).is_wall_trusted());
  EXPECT_EQ(system_clock(wall_trust::always).trust_failure(), 0);
}

}  // namespace
}  // namespace tidegate
