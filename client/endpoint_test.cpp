#include <gtest/gtest.h>

#include "client/values.hpp"

namespace tidegate::client {
namespace {

TEST(endpoint, takes_host_and_port) {
  const auto parsed = parse_endpoint("gateway.local:7000").value();
  EXPECT_EQ(parsed.host, "gateway.local");
  EXPECT_EQ(parsed.port, 7000);
}

TEST(endpoint, knows_the_port) {
  EXPECT_EQ(parse_endpoint("gateway").value().port, default_port);
  EXPECT_EQ(parse_endpoint("[::1]").value().port, default_port);
}

TEST(endpoint, takes_ipv6_in_brackets) {
  const auto parsed = parse_endpoint("[fe80::1]:80").value();
  EXPECT_EQ(parsed.host, "fe80::1");
  EXPECT_EQ(parsed.port, 80);
}

TEST(endpoint, refuses_what_is_no_address) {
  for (const char* text : {"", ":80", "host:", "host:0", "host:65536", "host:80x", "::1", "[::1", "[::1]80"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

}  // namespace
}  // namespace tidegate::client
