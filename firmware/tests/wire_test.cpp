// Frames and fields: exact bytes, every way to cut them, and everything that is not a frame.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "firmware/wire/frame.h"
#include "firmware/wire/link.pb.h"

namespace {

using bytes = std::vector<uint8_t>;

constexpr size_t body_max = 1000;

tg_bytes view(const std::string &text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }

std::string text(tg_bytes field) { return {reinterpret_cast<const char *>(field.data), field.size}; }

template <typename Message>
bytes encode(tg_member member, const pb_msgdesc_t *fields, const Message &message, size_t capacity = 4096) {
  bytes out(capacity);
  out.resize(tg_frame_encode(out.data(), out.size(), member, fields, &message));
  return out;
}

// `in` is a heap block of exactly the frame's size, so that a read past the frame's end is a read past the block.
tg_split split(const bytes &in, tg_frame &frame, size_t limit = body_max) {
  return tg_frame_split(in.data(), in.size(), limit, &frame);
}

TEST(frame, has_key_length_and_body) {
  const std::string payload = "abc";
  const tg_Publish publish = {.alias = 5, .payload = view(payload)};
  EXPECT_EQ(encode(TG_PUBLISH, tg_Publish_fields, publish),
            (bytes{0x22, 7, 0x08, 5, 0x1a, 3, 'a', 'b', 'c'}));  // key = 4 * 8 + 2
}

TEST(frame, has_a_key_of_two_bytes_from_member_16_on) {
  tg_Done done{};
  done.correlation = 1;
  EXPECT_EQ(encode(TG_DONE, tg_Done_fields, done), (bytes{0xc2, 0x01, 2, 0x08, 1}));
}

TEST(frame, has_a_length_of_two_bytes_from_128_on) {
  const std::string payload(200, 'x');
  const bytes frame = encode(TG_PUBLISH, tg_Publish_fields, tg_Publish{.alias = 1, .payload = view(payload)});
  ASSERT_EQ(frame.size(), 1 + 2 + 2 + 3 + 200u);
  EXPECT_EQ(bytes(frame.begin(), frame.begin() + 3), (bytes{0x22, 0xcd, 0x01}));
}

TEST(frame, of_an_empty_message_is_two_bytes) {
  EXPECT_EQ(encode(TG_PING, tg_Ping_fields, tg_Ping{.ticks = 0}), (bytes{0x5a, 0}));
}

TEST(frame, is_not_written_where_it_does_not_fit) {
  const std::string payload(50, 'x');
  const tg_Publish publish = {.alias = 1, .payload = view(payload)};
  const size_t body_size = 2 + 2 + 50;
  for (size_t capacity = 0; capacity < TG_FRAME_HEADER_MAX + body_size; capacity++) {
    EXPECT_TRUE(encode(TG_PUBLISH, tg_Publish_fields, publish, capacity).empty()) << capacity;
  }
  EXPECT_FALSE(encode(TG_PUBLISH, tg_Publish_fields, publish, TG_FRAME_HEADER_MAX + body_size).empty());
}

TEST(frame, is_incomplete_when_cut_at_any_byte) {
  const std::string payload(200, 'x');
  const bytes whole = encode(TG_PUBLISH, tg_Publish_fields, tg_Publish{.alias = 1, .payload = view(payload)});
  for (size_t size = 0; size < whole.size(); size++) {
    tg_frame frame;
    EXPECT_EQ(split(bytes(whole.begin(), whole.begin() + static_cast<long>(size)), frame), TG_SPLIT_MORE) << size;
    EXPECT_EQ(frame.size, size < 3 ? 0 : whole.size()) << size;
  }
  tg_frame frame;
  ASSERT_EQ(split(whole, frame), TG_SPLIT_READY);
  EXPECT_EQ(frame.member, TG_PUBLISH);
  EXPECT_EQ(frame.size, whole.size());
  EXPECT_EQ(frame.body, whole.data() + 3);
}

TEST(frame, ends_where_the_next_begins) {
  const bytes two = {0x5a, 2, 0x08, 7, 0x5a, 0};
  tg_frame frame;
  ASSERT_EQ(split(two, frame), TG_SPLIT_READY);
  EXPECT_EQ(frame.size, 4u);
}

TEST(frame, over_the_limit_tells_its_size_before_its_body_has_come) {
  const bytes header = {0xfa, 0x01, 0xe9, 0x07};  // member 31, 1001 bytes
  tg_frame frame;
  ASSERT_EQ(split(header, frame), TG_SPLIT_TOO_LARGE);
  EXPECT_EQ(frame.member, 31u);
  EXPECT_EQ(frame.size, 4 + 1001u);
  EXPECT_EQ(split({0xfa, 0x01, 0xe8, 0x07}, frame), TG_SPLIT_MORE);
}

TEST(frame, is_malformed) {
  const bytes cases[] = {
      {0x20, 0},                                   // a varint member
      {0x21, 0},                                   // 64 bits
      {0x25, 0},                                   // 32 bits
      {0x02, 0},                                   // member 0
      {0xff, 0xff, 0xff, 0xff, 0xff, 0x01},        // overlong key
      {0xfa, 0xff, 0xff, 0xff, 0x1f, 0},           // key above 32 bits
      {0x22, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},  // overlong length
      {0x22, 0xff, 0xff, 0xff, 0xff, 0x0f},        // 2^32 - 1 bytes
      {0x22, 0x80, 0x80, 0x80, 0x80, 0x08},        // 2^31 bytes
  };
  for (const bytes &in : cases) {
    tg_frame frame;
    EXPECT_EQ(split(in, frame), TG_SPLIT_MALFORMED) << testing::PrintToString(in);
  }
}

TEST(frame, may_pad_its_varints) {
  tg_frame frame;
  ASSERT_EQ(split({0xda, 0x00, 0x80, 0x00}, frame), TG_SPLIT_READY);
  EXPECT_EQ(frame.member, TG_PING);
  EXPECT_EQ(frame.size, 4u);
}

template <typename Message>
bool decode(const bytes &in, const pb_msgdesc_t *fields, Message &message) {
  tg_frame frame;
  return split(in, frame) == TG_SPLIT_READY && tg_frame_decode(&frame, fields, &message);
}

TEST(fields, come_back_as_they_went) {
  const std::string device = "pump-7", token = "secret";
  const tg_Hello hello = {.version = 1,
                          .device = view(device),
                          .epoch = 0xdeadbeef,
                          .boot = 3,
                          .next_sequence = 4000000000,
                          .oldest_sequence = 17,
                          .lost = 5,
                          .sleep_seconds = 3600,
                          .largest_frame = 512,
                          .token = view(token),
                          .ticks = 123456};
  const bytes wire = encode(TG_HELLO, tg_Hello_fields, hello);
  tg_Hello back = {};
  ASSERT_TRUE(decode(wire, tg_Hello_fields, back));
  EXPECT_EQ(text(back.device), device);
  EXPECT_EQ(text(back.token), token);
  EXPECT_EQ(back.epoch, hello.epoch);
  EXPECT_EQ(back.next_sequence, hello.next_sequence);
  EXPECT_EQ(back.oldest_sequence, hello.oldest_sequence);
  EXPECT_EQ(back.sleep_seconds, hello.sleep_seconds);
  EXPECT_EQ(back.ticks, hello.ticks);
  EXPECT_GE(back.device.data, wire.data());
  EXPECT_LE(back.device.data + back.device.size, wire.data() + wire.size());
}

struct item_list {
  std::vector<std::string> payloads;
  size_t next = 0;
  size_t accepted = 1000;
};

bool load(void *context, void *slot) {
  auto &list = *static_cast<item_list *>(context);
  if (list.next == list.payloads.size()) return false;
  *static_cast<tg_Item *>(slot) = {
      .alias = 1, .dt = static_cast<uint32_t>(list.next), .payload = view(list.payloads[list.next])};
  list.next++;
  return true;
}

bool store(void *context, void *slot) {
  auto &list = *static_cast<item_list *>(context);
  const auto &item = *static_cast<tg_Item *>(slot);
  EXPECT_EQ(item.dt, list.payloads.size());
  list.payloads.push_back(text(item.payload));
  return list.payloads.size() <= list.accepted;
}

bytes batch_of(std::vector<std::string> payloads) {
  tg_Item slot = {};
  item_list list = {.payloads = std::move(payloads)};
  tg_Batch batch = {};
  batch.first_sequence = 9;
  batch.items = {.step = load, .item = &slot, .context = &list};
  return encode(TG_BATCH, tg_Batch_fields, batch);
}

bool read_batch(const bytes &wire, item_list &list) {
  tg_Item slot = {};
  tg_Batch batch = {};
  batch.items = {.step = store, .item = &slot, .context = &list};
  return decode(wire, tg_Batch_fields, batch) && batch.first_sequence == 9;
}

TEST(fields, absent_ones_stay_as_they_were) {
  const std::string old = "old";
  tg_Publish publish = {.alias = 7, .payload = view(old)};
  ASSERT_TRUE(decode({0x22, 0}, tg_Publish_fields, publish));
  EXPECT_EQ(publish.alias, 7u);
  EXPECT_EQ(publish.payload.size, 3u);
}

TEST(fields, lists_are_stepped_through) {
  const std::vector<std::string> payloads = {"one", "", std::string(300, 'x')};
  item_list list;
  ASSERT_TRUE(read_batch(batch_of(payloads), list));
  EXPECT_EQ(list.payloads, payloads);
}

TEST(fields, a_list_without_a_step_is_skipped) {
  tg_Batch batch = {};
  EXPECT_TRUE(decode(batch_of({"one", "two"}), tg_Batch_fields, batch));
  EXPECT_EQ(batch.first_sequence, 9u);
}

TEST(fields, a_list_can_be_refused) {
  item_list list = {.payloads = {}, .accepted = 1};
  EXPECT_FALSE(read_batch(batch_of({"one", "two", "three"}), list));
  EXPECT_EQ(list.payloads.size(), 2u);
}

TEST(fields, unknown_ones_are_skipped) {
  tg_Ack ack = {};
  // 1: 5; 99 as bytes, varint, 32 and 64 bits; 2: 6
  const bytes body = {0x08, 5, 0x9a, 0x06, 2, 'h', 'i', 0x98, 0x06, 7, 0x9d, 0x06, 1,    2,
                      3,    4, 0x99, 0x06, 1, 2,   3,   4,    5,    6, 7,    8,    0x10, 6};
  bytes wire = {0x3a, static_cast<uint8_t>(body.size())};
  wire.insert(wire.end(), body.begin(), body.end());
  ASSERT_TRUE(decode(wire, tg_Ack_fields, ack));
  EXPECT_EQ(ack.sequence, 5u);
  EXPECT_EQ(ack.window, 6u);
}

// nanopb would pass a copy of the number on its stack, and the view would outlive that copy.
TEST(fields, a_number_where_bytes_belong_is_refused) {
  tg_Publish publish = {};
  EXPECT_FALSE(decode({0x22, 4, 0x08, 1, 0x18, 5}, tg_Publish_fields, publish));           // varint
  EXPECT_FALSE(decode({0x22, 7, 0x08, 1, 0x1d, 1, 2, 3, 4}, tg_Publish_fields, publish));  // 32 bits
  tg_Batch batch = {};
  EXPECT_FALSE(decode({0x2a, 2, 0x28, 5}, tg_Batch_fields, batch));
}

TEST(fields, a_body_cut_short_is_refused) {
  const bytes whole = batch_of({"one", "two"});
  for (size_t size = 1; size < whole.size() - 2; size++) {
    bytes cut(whole.begin(), whole.begin() + static_cast<long>(2 + size));
    cut[1] = static_cast<uint8_t>(size);
    item_list list;
    // A cut between two fields leaves a shorter valid message. In that case only the bounds are checked.
    (void)read_batch(cut, list);
    EXPECT_LE(list.payloads.size(), 2u);
  }
}

TEST(fields, garbage_is_read_within_bounds) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; round++) {
    bytes body(random() % 40);
    for (auto &byte : body) byte = static_cast<uint8_t>(random() % 4 == 0 ? random() : random() % 64);
    const tg_frame frame = {.member = TG_HELLO, .body = body.data(), .body_size = body.size(), .size = 0};
    tg_Hello hello = {};
    if (!tg_frame_decode(&frame, tg_Hello_fields, &hello)) continue;
    for (const tg_bytes field : {hello.device, hello.token}) {
      if (field.size == 0) continue;
      ASSERT_GE(field.data, body.data());
      ASSERT_LE(field.data + field.size, body.data() + body.size());
    }
  }
}

}  // namespace
