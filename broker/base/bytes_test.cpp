#include "broker/base/bytes.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace tidegate {
namespace {

TEST(bytes, big_endian_is_the_order_of_the_keys) {
  std::string out;
  append_be<std::uint32_t>(out, 0x01020304);
  EXPECT_EQ(out, std::string("\x01\x02\x03\x04", 4));
  EXPECT_EQ(load_be<std::uint32_t>(out.data()), 0x01020304u);
}

TEST(bytes, varints_round_trip_at_every_length) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    const std::uint64_t value = std::uint64_t{1} << bits;
    std::string out;
    append_varint(out, value);
    EXPECT_EQ(out.size(), varint_size(value));
    byte_reader reader(out);
    EXPECT_EQ(reader.varint(), value);
    EXPECT_TRUE(reader.at_end());
    EXPECT_FALSE(reader.failed());
  }
}

TEST(bytes, zigzag_round_trips) {
  for (std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1},
                             std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(unzigzag(zigzag(value)), value);
  }
  EXPECT_EQ(zigzag(-1), 1u);
  EXPECT_EQ(zigzag(1), 2u);
}

TEST(bytes, a_reader_past_the_end_fails_for_good) {
  byte_reader reader("abc");
  EXPECT_EQ(reader.take(2), "ab");
  EXPECT_EQ(reader.take(2), "");
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.be<std::uint8_t>(), 0);
}

TEST(bytes, an_overlong_varint_fails) {
  byte_reader reader(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  reader.varint();
  EXPECT_TRUE(reader.failed());
}

}  // namespace
}  // namespace tidegate
