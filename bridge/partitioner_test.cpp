#include "bridge/partitioner.hpp"

#include <gtest/gtest.h>

namespace tidegate::bridge {
namespace {

// The test vectors of the design, which the broker's partitioners also satisfy.
TEST(partitioner, by_key_agrees_with_other_clients) {
  EXPECT_EQ(choose_partition(partitioner::murmur2, "a", 5, 6), 4);
  EXPECT_EQ(choose_partition(partitioner::murmur2, "key-1", 5, 6), 0);
  EXPECT_EQ(choose_partition(partitioner::murmur2, "sensor/42", 5, 6), 3);
  EXPECT_EQ(choose_partition(partitioner::crc32, "a", 5, 6), 3);
  EXPECT_EQ(choose_partition(partitioner::crc32, "key-1", 5, 6), 2);
  EXPECT_EQ(choose_partition(partitioner::crc32, "sensor/42", 5, 6), 3);
}

TEST(partitioner, without_a_key_goes_by_the_source_partition) {
  EXPECT_EQ(choose_partition(partitioner::murmur2, "", 7, 6), 1);
  EXPECT_EQ(choose_partition(partitioner::crc32, "", 7, 6), 1);
  EXPECT_EQ(choose_partition(partitioner::source, "a", 5, 6), 5);
}

TEST(partitioner, has_only_the_names_it_says) {
  EXPECT_EQ(parse_partitioner("murmur2"), partitioner::murmur2);
  EXPECT_FALSE(parse_partitioner("random"));
  EXPECT_FALSE(parse_partitioner(""));
}

}  // namespace
}  // namespace tidegate::bridge
