#include "broker/store/offset_set.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace tidegate::store {
namespace {

std::vector<std::pair<offset_t, offset_t>> ranges(const offset_set& offsets) {
  std::vector<std::pair<offset_t, offset_t>> all;
  for (auto range = offsets.range_from(0); range; range = offsets.range_from(range->end)) {
    all.emplace_back(range->begin, range->end);
  }
  return all;
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
    const auto in_front = std::distance(plain.begin(), plain.lower_bound(probe));
    ASSERT_EQ(offsets.count({0, probe}), static_cast<std::uint64_t>(in_front));
  }
}

// Compares with a std::set of offsets, over sparse, crowded and full blocks and their borders.
TEST(offset_set, is_what_was_put_in_and_not_taken_out) {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    offset_set offsets;
    std::set<offset_t> model;
    offset_t floor = 0;
    for (int step = 0; step < 4'000; ++step) {
      offset_range range{random() % 5'000, 0};
      range.end = range.begin + (random() % 50 == 0 ? random() % 3'000 : random() % 3);
      range.begin = std::max(range.begin, floor);
      offsets.insert(range);
      for (offset_t offset = range.begin; offset < range.end; ++offset) model.insert(offset);
      if (random() % 500 == 0) {
        floor = std::max<offset_t>(floor, random() % 4'000);
        offsets.erase_below(floor);
        model.erase(model.begin(), model.lower_bound(floor));
      }
      if (random() % 50 == 0) {
        const offset_t begin = random() % 6'000, end = begin + random() % 3'000;
        offsets.erase({begin, end});
        model.erase(model.lower_bound(begin), model.lower_bound(end));
      }
      const offset_t asked = random() % 6'000;
      ASSERT_EQ(offsets.contains(asked), model.contains(asked)) << seed << " " << step;
      ASSERT_EQ(offsets.size(), model.size()) << seed << " " << step;
      const auto within = std::distance(model.lower_bound(asked), model.lower_bound(asked + 1'500));
      ASSERT_EQ(offsets.count({asked, asked + 1'500}), static_cast<std::uint64_t>(within)) << seed << " " << step;
      if (step % 100 != 0) continue;
      pairs expected;
      for (const offset_t offset : model) {
        if (expected.empty() || expected.back().second != offset) expected.emplace_back(offset, offset);
        expected.back().second = offset + 1;
      }
      ASSERT_EQ(ranges(offsets), expected) << seed << " " << step;
    }
  }
}

// The memory stays small at every point on the way.
TEST(offset_set, a_million_in_any_order_take_little_memory) {
  std::vector<offset_t> order(1'000'000);
  for (offset_t offset = 0; offset < order.size(); ++offset) order[offset] = offset;
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  offset_set offsets;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    offsets.insert({order[i], order[i] + 1});
    if (i % 500 == 0) most = std::max(most, offsets.bytes());
  }
  EXPECT_LE(most, 300'000u);
  EXPECT_EQ(ranges(offsets), (pairs{{0, order.size()}}));
  EXPECT_LE(offsets.bytes(), 300u);
}

}  // namespace
}  // namespace tidegate::store
