#include "broker/store/offset_set.hpp"

#include <gmock/gmock.h>

#include <random>
#include <set>
#include <utility>
#include <vector>

namespace tidegate::store {
namespace {

std::vector<std::pair<offset_t, offset_t>> ranges(const offset_set& offsets) {
  return {offsets.begin(), offsets.end()};
}

using pairs = std::vector<std::pair<offset_t, offset_t>>;

TEST(offset_set, neighbours_become_one_range) {
  offset_set offsets;
  offsets.insert({5, 6});
  offsets.insert({7, 8});
  EXPECT_EQ(ranges(offsets), (pairs{{5, 6}, {7, 8}}));
  offsets.insert({6, 7});
  EXPECT_EQ(ranges(offsets), (pairs{{5, 8}}));
  EXPECT_EQ(offsets.size(), 3u);
}

TEST(offset_set, a_range_swallows_what_it_covers) {
  offset_set offsets;
  offsets.insert({5, 6});
  offsets.insert({8, 10});
  offsets.insert({20, 30});
  offsets.insert({4, 21});
  EXPECT_EQ(ranges(offsets), (pairs{{4, 30}}));
  offsets.insert({10, 12});
  EXPECT_EQ(offsets.size(), 26u);
}

TEST(offset_set, an_empty_range_is_nothing) {
  offset_set offsets;
  offsets.insert({5, 5});
  EXPECT_TRUE(offsets.empty());
}

TEST(offset_set, below_the_floor_all_is_forgotten) {
  offset_set offsets;
  offsets.insert({1, 4});
  offsets.insert({6, 10});
  offsets.erase_below(8);
  EXPECT_EQ(ranges(offsets), (pairs{{8, 10}}));
  EXPECT_EQ(offsets.size(), 2u);
}

TEST(offset_set, ranges_are_found_by_an_offset) {
  offset_set offsets;
  offsets.insert({5, 8});
  EXPECT_FALSE(offsets.range_at(4));
  EXPECT_EQ(offsets.range_at(7), (offset_range{5, 8}));
  EXPECT_FALSE(offsets.range_at(8));
  EXPECT_EQ(offsets.range_from(0), (offset_range{5, 8}));
  EXPECT_FALSE(offsets.range_from(8));
}

TEST(offset_set, agrees_with_a_set) {
  std::mt19937 random(1);
  offset_set offsets;
  std::set<offset_t> plain;
  for (int round = 0; round < 3'000; ++round) {
    const offset_t begin = random() % 300, end = begin + random() % 12;
    offsets.insert({begin, end});
    for (offset_t offset = begin; offset < end; ++offset) plain.insert(offset);
    if (random() % 20 == 0) {
      const offset_t floor = random() % 300;
      offsets.erase_below(floor);
      plain.erase(plain.begin(), plain.lower_bound(floor));
    }
    if (random() % 50 == 0) {
      offsets = {};
      plain.clear();
    }
    ASSERT_EQ(offsets.size(), plain.size());
    const offset_t probe = random() % 310;
    ASSERT_EQ(offsets.contains(probe), plain.contains(probe));
  }
}

}  // namespace
}  // namespace tidegate::store
