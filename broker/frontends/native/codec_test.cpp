#include "broker/frontends/native/codec.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "broker/frontends/native/testing.hpp"

namespace tidegate::native {
namespace {

std::string by_nanopb(std::uint32_t consumer, const core::delivery_view& delivery) {
  header_source headers(delivery.message.headers);
  tg_Deliver deliver{};
  deliver.consumer = consumer;
  deliver.tag = delivery.number;
  deliver.redelivered = delivery.redelivered;
  deliver.delivery_count = delivery.deliveries;
  deliver.exchange = bytes_of(delivery.message.exchange);
  deliver.routing_key = bytes_of(delivery.message.routing_key);
  deliver.key = bytes_of(delivery.message.key);
  deliver.headers = headers.encoder();
  deliver.body = bytes_of(delivery.message.body);
  deliver.timestamp_ms = static_cast<std::uint64_t>(delivery.timestamp_ms);
  return frame_of(TG_DELIVER, tg_Deliver_fields, deliver, 100'000);
}

void expect_nanopbs_bytes(std::uint32_t consumer, std::uint64_t tag, core::delivery_view delivery) {
  delivery.number = tag;
  std::string out = "before";
  append_deliver(out, consumer, delivery);
  EXPECT_EQ(to_hex(out), to_hex("before" + by_nanopb(consumer, delivery)));
}

TEST(codec, a_deliver_has_nanopbs_bytes) {
  core::delivery_view delivery;
  expect_nanopbs_bytes(0, 0, delivery);
  expect_nanopbs_bytes(1, 127, delivery);
  delivery = {
      0, 7, true, 128, 1'700'000'000'000, {"exchange", "a.b", "key", {{"h", "v"}, {"", ""}, {"n", ""}}, "body"}};
  expect_nanopbs_bytes(300, 1ull << 40, delivery);
  const std::string long_text(70'000, 't');
  delivery.message = {{}, "queue", {}, {{"name", std::string_view(long_text).substr(0, 200)}}, long_text};
  delivery.deliveries = std::numeric_limits<std::uint32_t>::max();
  delivery.timestamp_ms = -1;
  expect_nanopbs_bytes(std::numeric_limits<std::uint32_t>::max(), std::numeric_limits<std::uint64_t>::max(), delivery);
}

}  // namespace
}  // namespace tidegate::native
