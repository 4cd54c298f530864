#include "broker/net/silence.hpp"

#include <gtest/gtest.h>

namespace tidegate::net {
namespace {

using due = silence::due;
constexpr milliseconds never = milliseconds::max();

milliseconds at(int ms) { return milliseconds(ms); }

TEST(silence, asks_once_and_ends) {
  silence peer(at(1'000));
  const silence::bounds bounds{at(30), at(80)};
  EXPECT_EQ(peer.deadline(bounds), at(1'030));
  EXPECT_EQ(peer.look(at(1'029), bounds), due::nothing);
  EXPECT_EQ(peer.look(at(1'030), bounds), due::ask);
  EXPECT_EQ(peer.look(at(1'031), bounds), due::nothing);
  EXPECT_EQ(peer.deadline(bounds), at(1'080));
  EXPECT_EQ(peer.look(at(1'079), bounds), due::nothing);
  EXPECT_EQ(peer.look(at(1'080), bounds), due::end);
}

TEST(silence, begins_anew_with_each_byte) {
  silence peer(at(0));
  const silence::bounds bounds{at(30), at(80)};
  EXPECT_EQ(peer.look(at(40), bounds), due::ask);
  peer.heard(at(79));
  EXPECT_EQ(peer.length(at(100)), at(21));
  EXPECT_EQ(peer.look(at(108), bounds), due::nothing);
  EXPECT_EQ(peer.look(at(109), bounds), due::ask);
}

TEST(silence, without_bounds_nothing_is_due) {
  silence peer(at(0));
  EXPECT_EQ(peer.deadline({}), never);
  EXPECT_EQ(peer.look(at(1'000'000'000), {}), due::nothing);
  EXPECT_EQ(peer.deadline({never, at(7)}), at(7));
  EXPECT_EQ(peer.look(at(7), {never, at(7)}), due::end);
}

}  // namespace
}  // namespace tidegate::net
