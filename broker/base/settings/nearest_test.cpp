#include "broker/base/settings/nearest.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tidegate::settings {
namespace {

constexpr std::string_view words[] = {"path", "bytes_max", "journal_bytes_max", "memory_bytes_max", "on_damage"};

TEST(nearest, finds_what_a_slip_of_the_finger_made) {
  EXPECT_EQ(nearest("bytes_mx", words), "bytes_max");
  EXPECT_EQ(nearest("byte_max", words), "bytes_max");
  EXPECT_EQ(nearest("bytes-max", words), "bytes_max");
  EXPECT_EQ(nearest("paht", words), "path");
  EXPECT_EQ(nearest("Path", words), "path");
  EXPECT_EQ(nearest("jurnal_byte_max", words), "journal_bytes_max");
  EXPECT_EQ(nearest("ondamage", words), "on_damage");
}

TEST(nearest, finds_nothing_far_off) {
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest("speed", words), "");
  EXPECT_EQ(nearest("x", words), "");
  EXPECT_EQ(nearest("durability", words), "");
  EXPECT_EQ(nearest("path", {}), "");
}

TEST(nearest, survives_long_words) {
  const std::string longest(64, 'x');
  const std::string longer(65, 'x');
  const std::string_view candidates[] = {longest, longer};
  EXPECT_EQ(nearest(longest, candidates), longest);
  EXPECT_EQ(nearest(longer, candidates), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'y'), candidates), "");
}

}  // namespace
}  // namespace tidegate::settings
