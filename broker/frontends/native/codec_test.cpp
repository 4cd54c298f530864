#include "broker/frontends/native/codec.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <tuple>

#include "broker/base/limits.hpp"
#include "broker/base/protobuf.hpp"
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
  deliver.properties = bytes_of(delivery.message.properties);
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

struct header_sink {
  std::vector<header> headers;
  tg_Header slot{};
  tg_list decoder() {
    const auto take = [](void* context, void* item) {
      auto& sink = *static_cast<header_sink*>(context);
      if (sink.headers.size() > limits::headers_count) return false;
      const auto& decoded = *static_cast<tg_Header*>(item);
      sink.headers.push_back({view_of(decoded.name), view_of(decoded.value)});
      return true;
    };
    return {take, &slot, this};
  }
};

tg_frame frame_over(const std::string& body) {
  return {0, reinterpret_cast<const std::uint8_t*>(body.data()), body.size(), body.size()};
}

// Checks that our decoder and nanopb's read the same, or both refuse the bytes.
void expect_nanopbs_publish(const std::string& body) {
  const tg_frame frame = frame_over(body);
  tg_PublishMessage expected{};
  header_sink headers;
  expected.headers = headers.decoder();
  publish_frame found;
  const bool is_read = tg_frame_decode(&frame, tg_PublishMessage_fields, &expected);
  ASSERT_EQ(decode(frame, found), is_read) << to_hex(body);
  if (!is_read) return;
  const message_view& message = found.message;
  ASSERT_EQ(std::tuple(found.id, found.sequence, found.mandatory),
            std::tuple(expected.id, expected.sequence, expected.mandatory));
  ASSERT_EQ(std::tuple(message.exchange, message.routing_key, message.key, message.body),
            std::tuple(view_of(expected.exchange), view_of(expected.routing_key), view_of(expected.key),
                       view_of(expected.body)));
  ASSERT_EQ(message.headers.size(), headers.headers.size());
  for (std::size_t i = 0; i < headers.headers.size(); ++i) {
    ASSERT_EQ(message.headers[i].name, headers.headers[i].name);
    ASSERT_EQ(message.headers[i].value, headers.headers[i].value);
  }
}

void expect_nanopbs_settle(const std::string& body) {
  const tg_frame frame = frame_over(body);
  tg_Settle expected{};
  settle_frame found;
  const bool is_read = tg_frame_decode(&frame, tg_Settle_fields, &expected);
  ASSERT_EQ(decode(frame, found), is_read) << to_hex(body);
  if (!is_read) return;
  std::uint32_t outcome = 0;
  std::memcpy(&outcome, &expected.outcome, sizeof outcome);
  ASSERT_EQ(std::tuple(found.tag, found.multiple, found.outcome), std::tuple(expected.tag, expected.multiple, outcome));
}

// Returns a field of any number and type, mostly well-formed. Values above 32 bits are put only into fields of 64 bits:
// nanopb takes a few of them for negative numbers in smaller fields.
std::string any_field(std::mt19937& random) {
  const auto any = [&](std::uint64_t below) { return random() % below; };
  std::string out;
  const auto type = any(10) == 0 ? any(8) : any(2) * 2;
  const auto number = any(12);
  append_varint(out, number << 3 | type);
  if (type == 0) {
    const std::uint64_t large = number == 1 || number == 8 ? (random() | std::uint64_t{random()} << 32) : random() >> 1;
    append_varint(out, any(2) == 0 ? any(4) : large >> any(64));
  }
  if (type == 1) out.append(8, 'x');
  if (type == 5) out.append(4, 'x');
  if (type == 2) {
    std::string text;
    if (any(3) == 0) {
      for (std::uint64_t left = any(3); left > 0; --left) text += any_field(random);
    } else {
      text.assign(any(20), 't');
    }
    append_varint(out, text.size());
    out += text;
  }
  return out;
}

TEST(codec, what_is_decoded_by_hand_is_what_nanopb_decodes) {
  std::mt19937 random(3);
  for (int round = 0; round < 100'000; ++round) {
    std::string body;
    for (auto left = random() % 6; left > 0; --left) body += any_field(random);
    if (random() % 8 == 0 && !body.empty()) body[random() % body.size()] = static_cast<char>(random());
    if (random() % 16 == 0) body.resize(random() % (body.size() + 1));
    expect_nanopbs_publish(body);
    expect_nanopbs_settle(body);
    if (HasFatalFailure()) return;
  }
}

TEST(codec, more_headers_than_the_limit_do_not_decode) {
  std::string body;
  for (std::size_t i = 0; i <= limits::headers_count; ++i) protobuf::append_element(body, 5, "");
  expect_nanopbs_publish(body);
  publish_frame publish;
  EXPECT_TRUE(decode(frame_over(body), publish));
  protobuf::append_element(body, 5, "");
  expect_nanopbs_publish(body);
  EXPECT_FALSE(decode(frame_over(body), publish));
}

}  // namespace
}  // namespace tidegate::native
