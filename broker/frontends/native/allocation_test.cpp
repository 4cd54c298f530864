// Checks that in the steady state no allocation is made for a message, on its way in or out. The allocations that
// remain are made for commits.
#include <gtest/gtest.h>

#include <atomic>

#include "broker/frontends/native/testing.hpp"

// A function of AddressSanitizer's runtime; null if the tests are built without it.
extern "C" [[gnu::weak]] int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                                         std::size_t),
                                                                       void (*on_free)(const volatile void*));

namespace tidegate::native {
namespace {

std::atomic<std::uint64_t> allocations{0};

bool count_allocations() {
  if (__sanitizer_install_malloc_and_free_hooks == nullptr) return false;
  static const bool is_installed =
      __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t) { ++allocations; },
                                                [](const volatile void*) {}) != 0;
  return is_installed;
}

constexpr std::size_t round_messages = 1'000;
constexpr int warm_rounds = 5, counted_rounds = 10;
// Allocations for each message: its share of those for commits, chunks and the growing outbox. Each message here has
// two targets.
constexpr double share_max = 0.3;

class allocation : public testing::Test {
 protected:
  allocation() {
    gateway_.broker.declare_queue("work");
    gateway_.broker.declare_topic("log", 1, 8 << 20);
    gateway_.broker.declare_exchange("both", exchange_type::fanout);
    gateway_.broker.bind_queue("both", "work");
    gateway_.broker.bind_topic("both", "log");
    gateway_.broker.commit();
    peer_.connect();
  }

  // Returns the frames of one commit. They are made before allocations are counted.
  std::string publishes() {
    const std::vector<header> headers{{"unit", "mm"}, {"station", "hall"}, {"kind", "reading"}};
    const std::string body(100, 'b');
    std::string frames;
    for (std::size_t i = 0; i < round_messages; ++i) {
      header_source source(headers);
      tg_PublishMessage publish{};
      publish.id = ++id_;
      publish.exchange = bytes_of("both");
      publish.routing_key = bytes_of("a.b");
      publish.key = bytes_of("key");
      publish.headers = source.encoder();
      publish.body = bytes_of(body);
      frames += frame_of(TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, publish, 400);
    }
    return frames;
  }
  std::string settles() {
    std::string frames;
    for (std::size_t i = 0; i < round_messages; ++i) {
      frames += frame_of(TG_SETTLE, tg_Settle_fields, tg_Settle{++tag_, false, tg_Settle_Outcome_ACK});
    }
    return frames;
  }

  // Returns the allocations for each message when the frames of `make` are sent again and again.
  template <class Make>
  double per_message(const Make& make) {
    std::uint64_t counted = 0;
    for (int round = 0; round < warm_rounds + counted_rounds; ++round) {
      const std::string frames = make();
      const std::uint64_t before = allocations;
      peer_.send_bytes(frames);
      gateway_.broker.commit();
      peer_.take_bytes();
      if (round >= warm_rounds) counted += allocations - before;
    }
    return static_cast<double>(counted) / counted_rounds / round_messages;
  }

  gateway gateway_{{}, {96 << 20, 8 << 20, {}}};
  peer peer_{gateway_};
  std::uint64_t id_ = 0, tag_ = 0;
};

TEST_F(allocation, none_a_message_in) {
  if (!count_allocations()) GTEST_SKIP() << "built without AddressSanitizer";
  EXPECT_LT(per_message([&] { return publishes(); }), share_max);
}

TEST_F(allocation, none_a_message_out) {
  if (!count_allocations()) GTEST_SKIP() << "built without AddressSanitizer";
  for (int round = 0; round < warm_rounds + counted_rounds + 1; ++round) {
    peer_.send_bytes(publishes());
    gateway_.broker.commit();
    peer_.take_bytes();
  }
  peer_.consume(1, "work", round_messages);
  peer_.take_bytes();
  EXPECT_LT(per_message([&] { return settles(); }), share_max);
  EXPECT_EQ(gateway_.broker.counts().acknowledged, (warm_rounds + counted_rounds) * round_messages);
}

}  // namespace
}  // namespace tidegate::native
