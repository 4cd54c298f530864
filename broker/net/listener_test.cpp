#include "broker/net/listener.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace tidegate::net {
namespace {

TEST(addresses, are_parsed_and_shown) {
  for (const char* const text : {"127.0.0.1:7420", "[::1]:7420", "0.0.0.0:0", "[::]:65535"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), text);
  }
}

TEST(addresses, that_are_none_are_named) {
  for (const char* const text : {"", ":", "7420", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                                 "127.0.0.1:-1", "localhost:7420", "127.0.0.1:7420 ", "[::1]", "[::1:7420"}) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().field, "listen");
    EXPECT_NE(address.error().text.find("'" + std::string(text) + "'"), std::string::npos);
  }
}

TEST(listeners, a_taken_address_is_an_error_that_names_it) {
  boost::asio::io_context io;
  const auto first = listener::open(io, parse_address("127.0.0.1:0").value(), 1);
  ASSERT_TRUE(first);
  const auto second = listener::open(io, first->address(), 1);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text.find(to_string(first->address())), std::string::npos);
}

}  // namespace
}  // namespace tidegate::net
