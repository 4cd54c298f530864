#include "bridge/cursor.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "broker/base/limits.hpp"

namespace tidegate::bridge {
namespace {

constexpr auto incarnation = "6b7f4a52-8a75-4f6e-9d6c-0a7d8b1c2e3f";
constexpr auto topic_id = "1d2c3b4a-8a75-4f6e-9d6c-0a7d8b1c2e3f";

TEST(cursor, comes_back_from_its_metadata) {
  const cursor written{incarnation, topic_id, 7, 107, {{0, 55}, {3, 0}, {11, 12'345'678'901}}};
  const std::string metadata = encode_metadata(written);
  EXPECT_EQ(metadata, std::string("2 ") + incarnation + " " + topic_id + " 107 0:55,3:0,11:12345678901");
  EXPECT_EQ(decode_cursor(7, metadata).value(), written);
}

TEST(cursor, without_destinations_is_closed) {
  const cursor written{incarnation, topic_id, 7, 7, {}};
  EXPECT_FALSE(decode_cursor(7, encode_metadata(written))->open());
  EXPECT_EQ(decode_cursor(7, encode_metadata(written)).value(), written);
}

TEST(cursor, of_the_most_destinations_fits_the_metadata) {
  cursor full{incarnation, topic_id, 0, std::numeric_limits<offset_t>::max(), {}};
  for (int partition = 0; partition < 128; ++partition) {
    full.look_from.push_back({partition, std::numeric_limits<std::int64_t>::max()});
  }
  EXPECT_LE(encode_metadata(full).size(), limits::metadata_bytes);
}

TEST(cursor, of_version_1_has_no_topic) {
  const cursor found = decode_cursor(7, std::string("1 ") + incarnation + " 107 0:55").value();
  EXPECT_EQ(found, (cursor{incarnation, "", 7, 107, {{0, 55}}}));
}

TEST(cursor, refuses_what_it_did_not_write) {
  for (const char* garbage : {"", "2", "1 x t 5 0:1", "0 x 5 0:1", "3 x t 5 0:1", "2  t 5 0:1", "2 x  5 0:1", "2 x t",
                              "2 x t 5x 0:1", "2 x t 4 0:1", "2 x t 9 0", "2 x t 9 0:", "2 x t 9 :1", "2 x t 9 -1:4",
                              "2 x t 9 0:-4", "2 x t 9 0:1,,1:2", "2 x t 99999999999999999999 0:1", "\0\xff\x80"}) {
    EXPECT_FALSE(decode_cursor(5, garbage)) << garbage;
  }
}

}  // namespace
}  // namespace tidegate::bridge
