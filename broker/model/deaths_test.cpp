#include "broker/model/deaths.hpp"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

death died(const char* queue, death_reason reason) { return {queue, reason, 1, 1'000, "x", {"k", ""}}; }

TEST(deaths, survive_as_bytes) {
  deaths some;
  some.add(died("a", death_reason::expired));
  some.list.front().original_expiration = 0;
  some.add(died("b", death_reason::rejected));
  EXPECT_EQ(decode_deaths(encode(some)), some);
  EXPECT_EQ(decode_deaths(""), deaths{});
  EXPECT_EQ(encode(deaths{}), "");
  EXPECT_FALSE(decode_deaths("\x0a\x05q"));
}

TEST(deaths, come_with_the_newest_first_and_count_by_queue_and_reason) {
  deaths some;
  some.add(died("a", death_reason::expired));
  some.add(died("b", death_reason::rejected));
  some.add(died("a", death_reason::maxlen));
  some.add(died("a", death_reason::expired));
  ASSERT_EQ(some.list.size(), 3u);
  EXPECT_EQ(some.list[0].queue, "a");
  EXPECT_EQ(some.list[0].reason, death_reason::expired);
  EXPECT_EQ(some.list[0].count, 2u);
  EXPECT_EQ(some.list[1].reason, death_reason::maxlen);
  EXPECT_EQ(some.list[2].queue, "b");
  EXPECT_EQ(some.first_queue, "a");
  EXPECT_EQ(some.first_reason, death_reason::expired);
}

// A message that dies in a, then in b, and would enter a again. The newest death is in the list already.
TEST(deaths, are_a_cycle_unless_a_consumer_rejected_the_message) {
  deaths some;
  some.add(died("a", death_reason::expired));
  EXPECT_TRUE(some.is_cycle("a"));
  EXPECT_FALSE(some.is_cycle("b"));
  some.add(died("b", death_reason::maxlen));
  EXPECT_TRUE(some.is_cycle("a"));
  some.add(died("b", death_reason::rejected));
  EXPECT_FALSE(some.is_cycle("a"));
  some.add(died("c", death_reason::expired));
  EXPECT_FALSE(some.is_cycle("a")) << "rejected on the way from a";
  EXPECT_TRUE(some.is_cycle("c"));
}

TEST(deaths, have_the_names_of_rabbitmq) {
  EXPECT_EQ(name(death_reason::rejected), "rejected");
  EXPECT_EQ(name(death_reason::delivery_limit), "delivery_limit");
}

}  // namespace
}  // namespace tidegate
