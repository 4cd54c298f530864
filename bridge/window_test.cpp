#include "bridge/window.hpp"

#include <gtest/gtest.h>

namespace tidegate::bridge {
namespace {

TEST(window, gives_out_only_what_is_settled_from_the_oldest_on) {
  window window;
  for (offset_t offset : {10u, 11u, 15u}) window.push({offset, 0, 1});
  EXPECT_NE(window.settle(11, {0, 1}), nullptr);
  EXPECT_FALSE(window.pop_settled());
  EXPECT_NE(window.settle(10, {0, 0}), nullptr);
  EXPECT_EQ(window.pop_settled()->offset, 10u);
  EXPECT_EQ(window.pop_settled()->offset, 11u);
  EXPECT_FALSE(window.pop_settled());
  EXPECT_EQ(window.unsettled(), 1u);
}

TEST(window, settles_an_offset_once_and_only_if_it_has_it) {
  window window;
  window.push({5, 0, 1});
  EXPECT_EQ(window.settle(4, {}), nullptr);
  EXPECT_NE(window.settle(5, {}), nullptr);
  EXPECT_EQ(window.settle(5, {}), nullptr);
  EXPECT_EQ(window.unsettled(), 0u);
}

}  // namespace
}  // namespace tidegate::bridge
