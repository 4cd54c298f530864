// The CRC-32C of a row covers its key too.
#include "broker/store/rows.hpp"

#include <gtest/gtest.h>

#include "broker/store/example_bytes.hpp"

namespace tidegate::store {
namespace {

TEST(rows, a_sealed_value_in_exact_bytes) {
  EXPECT_EQ(hex(sealed(cursor_key(stream_id{3}, "ab"), encode(cursor_state{300, "x"}))),
            "000000000000012c"
            "01"
            "78"
            "fe672bb3");
  EXPECT_EQ(unsealed({"clean", sealed("clean", "\x01")}), "\x01");
}

TEST(rows, every_flipped_bit_and_cut_is_seen) {
  const std::string key = "qwork", value = sealed(key, "{}");
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    EXPECT_FALSE(unsealed({key, with_flipped_bit(value, bit)})) << bit;
  }
  for (std::size_t bit = 0; bit < key.size() * 8; ++bit) {
    EXPECT_FALSE(unsealed({with_flipped_bit(key, bit), value})) << bit;
  }
  for (std::size_t size = 0; size < value.size(); ++size) EXPECT_FALSE(unsealed({key, value.substr(0, size)}));
  for (std::size_t size = 0; size < key.size(); ++size) EXPECT_FALSE(unsealed({key.substr(0, size), value}));
}

}  // namespace
}  // namespace tidegate::store
