#include "client/receive_buffer.hpp"

#include <gtest/gtest.h>

namespace tidegate::client {
namespace {

// Fills the buffer's room with at most `size` bytes and returns how many.
std::size_t arrive(receive_buffer& buffer, std::size_t size) {
  const std::span<char> room = buffer.room();
  const std::size_t taken = std::min(size, room.size());
  std::fill_n(room.begin(), taken, 'x');
  buffer.filled(taken);
  return taken;
}

TEST(receive_buffer, gives_what_arrived_until_consumed) {
  receive_buffer buffer(limits::frame_bytes);
  EXPECT_EQ(arrive(buffer, 10), 10u);
  EXPECT_EQ(buffer.unread().size(), 10u);
  buffer.consume(4);
  EXPECT_EQ(buffer.unread().size(), 6u);
  arrive(buffer, 1);
  EXPECT_EQ(buffer.unread().size(), 7u);
}

TEST(receive_buffer, at_most_doubles_what_arrived) {
  receive_buffer buffer(limits::frame_bytes);
  std::size_t arrived = 0;
  while (buffer.unread().size() < limits::frame_bytes) {
    const std::size_t room = buffer.room().size();
    EXPECT_LE(arrived + room, std::max(2 * arrived, receive_buffer::least_bytes));
    arrived += arrive(buffer, room);
  }
  EXPECT_EQ(arrived, limits::frame_bytes);
  EXPECT_TRUE(buffer.room().empty());
}

TEST(receive_buffer, reads_a_stream_of_small_frames_in_larger_pieces) {
  receive_buffer buffer(limits::frame_bytes);
  for (int i = 0; i < 20; ++i) buffer.consume(arrive(buffer, limits::frame_bytes));
  EXPECT_EQ(buffer.room().size(), 64 * limits::kib);
}

}  // namespace
}  // namespace tidegate::client
