#include "broker/frontends/native/unsettled.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tidegate::native {
namespace {

using testing::ElementsAre;

const core::consumer_id first{1}, second{2};

std::vector<std::uint64_t> through(unsettled_deliveries& out, std::uint64_t tag) {
  std::vector<std::uint64_t> tags;
  out.take_through(tag, [&](const auto& taken) { tags.push_back(taken.tag); });
  return tags;
}

TEST(unsettled, are_found_by_tag_once) {
  unsettled_deliveries out;
  out.add(3, first, 30);
  out.add(7, second, 70);  // the tags between were settled by themselves
  EXPECT_FALSE(out.take(4));
  const auto taken = out.take(7);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->consumer, second);
  EXPECT_EQ(taken->offset, 70u);
  EXPECT_FALSE(out.take(7));
  EXPECT_FALSE(out.take(8));
  EXPECT_TRUE(out.take(3));
  EXPECT_EQ(out.places(), 0u);
}

TEST(unsettled, all_up_to_a_tag_come_in_order) {
  unsettled_deliveries out;
  for (std::uint64_t tag = 1; tag <= 6; ++tag) out.add(tag, tag % 2 == 0 ? second : first, tag);
  out.take(3);
  EXPECT_THAT(through(out, 4), ElementsAre(1, 2, 4));
  EXPECT_THAT(through(out, 4), ElementsAre());
  out.forget(second);
  EXPECT_THAT(through(out, 100), ElementsAre(5));
  EXPECT_EQ(out.places(), 0u);
}

TEST(unsettled, one_that_stays_keeps_no_memory_for_the_others) {
  unsettled_deliveries out;
  out.add(1, first, 1);
  for (std::uint64_t tag = 2; tag <= 100'000; ++tag) {
    out.add(tag, first, tag);
    ASSERT_TRUE(out.take(tag));
    ASSERT_LE(out.places(), 130u);
  }
  EXPECT_TRUE(out.take(1));
}

// Against a map.
TEST(unsettled, a_random_life) {
  std::mt19937 random(1);
  unsettled_deliveries out;
  std::map<std::uint64_t, core::consumer_id> told;
  std::uint64_t next = 1;
  for (int step = 0; step < 100'000; ++step) {
    const std::uint64_t tag = next <= 40 ? random() % 40 : next - random() % 40;
    switch (random() % 64) {
      case 0: {
        std::vector<std::uint64_t> expected;
        for (auto one = told.begin(); one != told.end() && one->first <= tag; one = told.erase(one)) {
          expected.push_back(one->first);
        }
        ASSERT_EQ(through(out, tag), expected);
        break;
      }
      case 1: {
        const core::consumer_id gone = random() % 2 == 0 ? first : second;
        out.forget(gone);
        std::erase_if(told, [&](const auto& one) { return one.second == gone; });
        break;
      }
      case 2: next += random() % 5; break;
      default: {
        if (random() % 2 == 0) {
          const core::consumer_id consumer = random() % 2 == 0 ? first : second;
          out.add(next, consumer, next);
          told.emplace(next++, consumer);
        } else {
          const auto taken = out.take(tag);
          ASSERT_EQ(taken.has_value(), told.contains(tag));
          if (taken) {
            ASSERT_EQ(taken->consumer, told.at(tag));
          }
          told.erase(tag);
        }
      }
    }
    ASSERT_LE(out.places(), 2 * told.size() + 66);
  }
}

}  // namespace
}  // namespace tidegate::native
