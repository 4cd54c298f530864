// The POSIX port against a listening socket on the loopback. Both ends are stepped by the test.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <tidegate/posix.h>

namespace {

class posix_port : public testing::Test {
 protected:
  void SetUp() override {
    listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr *>(&address), size), 0);
    ASSERT_EQ(::listen(listener, 4), 0);
    ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size), 0);
    ASSERT_EQ(tg_posix_init(&port, "127.0.0.1", std::to_string(ntohs(address.sin_port)).c_str()), 0);
    start_device();
  }

  void TearDown() override {
    tg_posix_close(&port);
    for (const int descriptor : {listener, peer}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }

  void start_device() {
    config.device_id = "pump-7";
    config.hooks = tg_posix_hooks(&port);
    config.ring = ring.data();
    config.ring_size = ring.size();
    config.receive = receive.data();
    config.receive_size = receive.size();
    config.transmit = transmit.data();
    config.transmit_size = transmit.size();
    config.topics = &topic;
    config.topics_max = 1;
    config.retry_min_ms = 20;
    config.retry_max_ms = 40;
    config.answer_ms = 5000;
    ASSERT_EQ(tg_device_init(&device, &config), TG_OK);
    ASSERT_EQ(tg_device_topic(&device, 1, "t"), TG_OK);
    tg_device_connect(&device);
  }

  // Steps until the condition holds. Returns false after far more steps than are ever needed.
  template <typename Condition>
  bool step_until(Condition condition) {
    for (int i = 0; i < 1000 && !condition(); i++) tg_posix_step(&port, &device, 5);
    return condition();
  }

  bool accept_peer() {
    return step_until([&] {
      if (peer < 0) peer = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      return peer >= 0;
    });
  }

  // Steps until the peer has received at least `size` bytes, and returns all it received.
  std::vector<uint8_t> received(size_t size) {
    std::vector<uint8_t> all;
    (void)step_until([&] {
      uint8_t bytes[4096];
      const ssize_t got = ::recv(peer, bytes, sizeof bytes, 0);
      if (got > 0) all.insert(all.end(), bytes, bytes + got);
      return all.size() >= size;
    });
    return all;
  }

  void say(const std::vector<uint8_t> &bytes) {
    ASSERT_EQ(::send(peer, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }

  bool is(tg_link link) { return tg_device_link(&device) == link; }

  bool start_session() {
    if (!accept_peer() || received(20).size() < 20) return false;
    say({0x12, 7, 0x18, 0xff, 0xff, 0x3f, 0x20, 0x80, 0x20});  // Welcome: window 1 MiB - 1, frames up to 4096
    return step_until([&] { return is(TG_LINK_READY); });
  }

  int listener = -1, peer = -1;
  tg_posix port = {};
  tg_config config = {};
  tg_device device = {};
  tg_topic topic = {};
  std::vector<uint8_t> ring = std::vector<uint8_t>(4 << 20);
  std::vector<uint8_t> receive = std::vector<uint8_t>(256), transmit = std::vector<uint8_t>(4096);
};

TEST_F(posix_port, connects_and_says_hello_and_topic) {
  ASSERT_TRUE(start_session());
  EXPECT_EQ(received(7), (std::vector<uint8_t>{0x1a, 5, 0x08, 1, 0x12, 1, 't'}));
}

TEST_F(posix_port, comes_back_when_the_peer_closes) {
  ASSERT_TRUE(start_session());
  ::close(std::exchange(peer, -1));
  ASSERT_TRUE(step_until([&] { return is(TG_LINK_WAITING); }));
  EXPECT_EQ(port.socket, -1);
  ASSERT_TRUE(start_session());
  EXPECT_EQ(tg_device_stats(&device).sessions, 2u);
  EXPECT_EQ(tg_device_stats(&device).failures, 1u);
}

TEST_F(posix_port, backs_off_while_nobody_listens) {
  ::close(std::exchange(listener, -1));
  ASSERT_TRUE(step_until([&] { return tg_device_stats(&device).failures >= 3; }));
  EXPECT_EQ(tg_device_stats(&device).sessions, 0u);
}

TEST_F(posix_port, closes_the_link_when_the_device_gives_it_up) {
  ASSERT_TRUE(start_session());
  say({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  ASSERT_TRUE(step_until([&] { return tg_device_stats(&device).errors == 1; }));
  EXPECT_EQ(port.socket, -1);
}

TEST_F(posix_port, closes_the_link_when_the_caller_wants_none) {
  ASSERT_TRUE(start_session());
  ASSERT_EQ(received(7).size(), 7u);
  tg_device_close(&device);
  tg_device_connect(&device);
  ASSERT_TRUE(step_until([&] { return is(TG_LINK_GREETING); }));
  uint8_t byte;
  EXPECT_EQ(::recv(peer, &byte, 1, 0), 0);  // the old link has ended; its bytes are not mixed with those of the new one
}

TEST_F(posix_port, waits_for_a_peer_that_does_not_read_and_loses_nothing) {
  ASSERT_TRUE(start_session());
  const int small = 4096;
  ASSERT_EQ(::setsockopt(port.socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  const std::string payload(250, 'x');
  size_t published = 0;
  const auto is_stuck = [&] {
    for (int i = 0; i < 16 && !tg_device_wants_output(&device); i++, published++) {
      if (tg_device_publish(&device, 1, payload.data(), payload.size(), nullptr) != TG_OK) return false;
    }
    return tg_device_wants_output(&device);
  };
  if (!step_until(is_stuck)) GTEST_SKIP() << "the kernel buffers a whole window";
  const std::vector<uint8_t> all = received(7 + published * payload.size());
  EXPECT_EQ(std::count(all.begin(), all.end(), 'x'), static_cast<long>(published * payload.size()));
}

}  // namespace
