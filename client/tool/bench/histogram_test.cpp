#include "client/tool/bench/histogram.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace tidegate::tool::bench {
namespace {

// Returns the exact percentile, by sorting: the value that `percent` of all values do not exceed.
std::uint64_t sorted_percentile(std::vector<std::uint64_t> values, double percent) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

void expect_as_sorted(const histogram& told, const std::vector<std::uint64_t>& values) {
  ASSERT_EQ(told.count(), values.size());
  EXPECT_EQ(told.most(), *std::max_element(values.begin(), values.end()));
  for (const double percent : {0.001, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    const auto exact = static_cast<double>(sorted_percentile(values, percent));
    EXPECT_NEAR(static_cast<double>(told.percentile(percent)), exact, exact * 0.01) << percent;
  }
}

TEST(histogram, of_nothing_is_zero) {
  const histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.percentile(99), 0u);
  EXPECT_EQ(empty.mean(), 0);
}

TEST(histogram, is_within_one_percent_of_sorting) {
  std::mt19937_64 chance(1);
  for (const double spread : {1.0, 4.0, 9.0}) {
    histogram told;
    std::vector<std::uint64_t> values;
    std::lognormal_distribution<double> latency(9, spread);
    for (int i = 0; i < 50'000; ++i) values.push_back(static_cast<std::uint64_t>(std::min(latency(chance), 1e18)));
    for (const std::uint64_t value : values) told.add(value);
    expect_as_sorted(told, values);
  }
}

TEST(histogram, takes_every_number) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t off : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
      const std::uint64_t value = (std::uint64_t{1} << bit) + off;
      histogram told;
      told.add(value);
      EXPECT_NEAR(static_cast<double>(told.percentile(50)), static_cast<double>(value),
                  static_cast<double>(value) * 0.01);
      EXPECT_EQ(told.most(), value);
    }
  }
}

TEST(histogram, is_exact_for_small_numbers_and_for_the_mean) {
  histogram told;
  for (std::uint64_t value = 0; value < 100; ++value) told.add(value);
  EXPECT_EQ(told.percentile(1), 0u);
  EXPECT_EQ(told.percentile(50), 49u);
  EXPECT_EQ(told.percentile(100), 99u);
  EXPECT_DOUBLE_EQ(told.mean(), 49.5);
}

TEST(histogram, merges_into_what_all_would_have_made) {
  std::mt19937_64 chance(2);
  histogram one, other;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(chance() >> (chance() % 50));
    (i % 3 == 0 ? one : other).add(values.back());
  }
  one.merge(other);
  expect_as_sorted(one, values);
}

}  // namespace
}  // namespace tidegate::tool::bench
