#include "broker/base/crc32c.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tidegate {
namespace {

// RFC 3720, B.4: 32 bytes of zeros, and the ascending bytes 0..31.
TEST(bytes, crc32c_matches_the_rfc) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(crc32c(ascending), 0x46dd794eu);
}

TEST(crc32c, goes_on_from_an_earlier_part) {
  const std::string text = "the gate lets the river out while the sea is low";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::string_view whole = text;
    EXPECT_EQ(crc32c(whole.substr(cut), crc32c(whole.substr(0, cut))), crc32c(whole));
  }
}

TEST(crc32c, the_portable_form_agrees_with_the_processor) {
  std::string data;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(crc32c(data), detail::crc32c_portable(data, 0)) << "length " << i;
    data.push_back(static_cast<char>(i * 37));
  }
}

}  // namespace
}  // namespace tidegate
