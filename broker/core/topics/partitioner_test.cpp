#include "broker/core/topics/partitioner.hpp"

#include <gtest/gtest.h>

namespace tidegate::core::topics {
namespace {

// Values computed with Kafka's Java client (Utils.murmur2 & 0x7fffffff), and the partition out of 6.
TEST(murmur2, gives_what_kafkas_clients_give) {
  EXPECT_EQ(murmur2("a"), 584102524u);
  EXPECT_EQ(murmur2("key-1"), 193331640u);
  EXPECT_EQ(murmur2("sensor/42"), 1483231083u);
  EXPECT_EQ(murmur2("a") % 6, 4u);
  EXPECT_EQ(murmur2("key-1") % 6, 0u);
  EXPECT_EQ(murmur2("sensor/42") % 6, 3u);
}

// Kafka's own UtilsTest.testMurmur2, without the sign bit: every length modulo 4.
TEST(murmur2, gives_what_kafkas_own_test_expects) {
  const auto positive = [](std::int32_t hash) { return static_cast<std::uint32_t>(hash) & 0x7fffffff; };
  EXPECT_EQ(murmur2("21"), positive(-973932308));
  EXPECT_EQ(murmur2("foobar"), positive(-790332482));
  EXPECT_EQ(murmur2("a-little-bit-long-string"), positive(-985981536));
  EXPECT_EQ(murmur2("a-little-bit-longer-string"), positive(-1486304829));
  EXPECT_EQ(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), positive(-58897971));
  EXPECT_EQ(murmur2("abc"), positive(479470107));
}

}  // namespace
}  // namespace tidegate::core::topics
