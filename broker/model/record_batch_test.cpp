#include "broker/model/record_batch.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"

namespace tidegate {
namespace {

message_view reading(std::string_view body) { return {"amq.topic", "sensors.hall", "hall", {{"unit", "C"}}, body}; }

std::string hex(std::string_view data) {
  std::string out;
  for (const char byte : data) out += fmt::format("{:02x}", static_cast<std::uint8_t>(byte));
  return out;
}

// A batch written by hand from the layout in record_batch.hpp: offset 5, timestamp 1700000000000, key "k", body "v",
// one header ("h", "x").
TEST(record_batch, one_record_in_exact_bytes) {
  batch_builder builder;
  builder.add(record_view{5, 1'700'000'000'000, "k", "v", {{"h", "x"}}});
  const std::string batch = builder.finish();
  EXPECT_EQ(hex(std::string_view(batch).substr(0, 17)),
            "0000000000000005"
            "0000003e"
            "00000000"
            "02");
  EXPECT_EQ(hex(std::string_view(batch).substr(21)),
            "0000"
            "00000000"
            "0000018bcfe56800"
            "0000018bcfe56800"
            "ffffffffffffffff"
            "ffff"
            "ffffffff"
            "00000001"
            "18"
            "00"
            "00"
            "00"
            "02"
            "6b"
            "02"
            "76"
            "02"
            "02"
            "68"
            "02"
            "78");
}

TEST(record_batch, what_is_built_is_read) {
  batch_builder builder;
  for (offset_t offset = 100; offset < 110; ++offset) {
    builder.add(offset, 1'000 + static_cast<std::int64_t>(offset), reading("21.5"));
  }
  const std::string bytes = builder.finish();
  const auto batch = read_batch(bytes);
  ASSERT_TRUE(batch);
  EXPECT_TRUE(crc_matches(*batch));
  EXPECT_EQ(batch->base_offset, 100u);
  EXPECT_EQ(batch->last_offset, 109u);
  EXPECT_EQ(batch->count, 10u);
  EXPECT_EQ(batch->newest_timestamp_ms, 1'109);
  record_reader reader(*batch);
  record_view record;
  offset_t offset = 100;
  while (reader.next(record)) {
    EXPECT_EQ(record.offset, offset);
    EXPECT_EQ(record.timestamp_ms, 1'000 + static_cast<std::int64_t>(offset++));
    const message_view message = to_message(record);
    EXPECT_EQ(message.exchange, "amq.topic");
    EXPECT_EQ(message.routing_key, "sensors.hall");
    EXPECT_EQ(message.key, "hall");
    EXPECT_EQ(message.body, "21.5");
    ASSERT_EQ(message.headers.size(), 1u);
    EXPECT_EQ(message.headers[0].name, "unit");
  }
  EXPECT_FALSE(reader.failed());
  EXPECT_EQ(offset, 110u);
}

TEST(record_batch, a_queues_record_says_all_in_one_header) {
  message_view sent{"amq.topic", "sensors.hall", "hall", {{"t", "own"}, {"unit", "C"}}, "21.5", true};
  batch_builder builder;
  builder.add(7, 1'000, sent, record_form::queue);
  sent = {};
  sent.headers = {{"t", ""}};
  builder.add(8, 1'000, sent, record_form::queue);
  const std::string bytes = builder.finish();
  const auto batch = read_batch(bytes).value();
  record_reader reader(batch);
  record_view record;
  ASSERT_TRUE(reader.next(record));
  ASSERT_EQ(record.headers.size(), 3u);
  EXPECT_EQ(record.headers[0].name, "t");
  EXPECT_EQ(record.headers[0].value,
            "\x0a\x09"
            "amq.topic"
            "\x12\x0c"
            "sensors.hall"
            "\x40\x01");
  message_view message = to_message(record, record_form::queue);
  EXPECT_EQ(message.exchange, "amq.topic");
  EXPECT_EQ(message.routing_key, "sensors.hall");
  EXPECT_EQ(message.key, "hall");
  EXPECT_EQ(message.body, "21.5");
  EXPECT_TRUE(message.is_time_estimated);
  ASSERT_EQ(message.headers.size(), 2u);
  EXPECT_EQ(message.headers[0].value, "own");
  ASSERT_TRUE(reader.next(record));
  message = to_message(record, record_form::queue);
  EXPECT_EQ(message.routing_key, "");
  EXPECT_FALSE(message.is_time_estimated);
  ASSERT_EQ(message.headers.size(), 1u);
  EXPECT_EQ(message.headers[0].name, "t");
}

TEST(record_batch, properties_and_what_the_broker_adds_survive) {
  message_view sent{"x", "k", "", {{"unit", "C"}}, "21.5"};
  sent.properties = "\x90\x00\x03";
  sent.deaths = "died";
  sent.due_ms = std::uint64_t{1} << 40;
  sent.attempts = 3;
  sent.return_to = "work";
  for (const record_form form : {record_form::queue, record_form::topic}) {
    batch_builder builder;
    builder.add(7, 1'000, sent, form);
    EXPECT_LE(builder.size(), record_batch_header_bytes + record_size_bound(sent));
    const std::string bytes = builder.finish();
    record_reader reader(read_batch(bytes).value());
    record_view record;
    ASSERT_TRUE(reader.next(record));
    const message_view message = to_message(record, form);
    EXPECT_EQ(message.properties, sent.properties);
    ASSERT_EQ(message.headers.size(), 1u);
    EXPECT_EQ(message.headers[0].name, "unit");
    const bool is_queue = form == record_form::queue;
    EXPECT_EQ(message.deaths, is_queue ? "died" : "");
    EXPECT_EQ(message.due_ms, is_queue ? sent.due_ms : 0);
    EXPECT_EQ(message.attempts, is_queue ? 3u : 0u);
    EXPECT_EQ(message.return_to, is_queue ? "work" : "");
  }
}

TEST(record_batch, an_estimated_time_is_told_in_either_form) {
  message_view sent;
  sent.is_time_estimated = true;
  for (const record_form form : {record_form::topic, record_form::queue}) {
    batch_builder builder;
    builder.add(0, 0, sent, form);
    const std::string bytes = builder.finish();
    record_reader reader(read_batch(bytes).value());
    record_view record;
    ASSERT_TRUE(reader.next(record));
    EXPECT_TRUE(to_message(record, form).is_time_estimated);
  }
}

TEST(record_batch, gaps_in_offsets_are_kept) {
  batch_builder builder;
  for (offset_t offset : {3u, 7u, 20u}) builder.add(offset, 0, reading("x"));
  const std::string bytes = builder.finish();
  const auto batch = read_batch(bytes);
  ASSERT_TRUE(batch);
  record_reader reader(*batch);
  record_view record;
  std::vector<offset_t> seen;
  while (reader.next(record)) seen.push_back(record.offset);
  EXPECT_EQ(seen, (std::vector<offset_t>{3, 7, 20}));
  EXPECT_FALSE(check_produced(bytes));
}

// A missing key or body, as in Kafka's tombstones, has other bytes than an empty one. A copied record keeps those
// bytes.
TEST(record_batch, copied_records_keep_their_bytes) {
  const std::string records("\x0c\x00\x00\x00\x01\x01\x00", 7);
  batch_view batch;
  batch.base_offset = 7;
  batch.count = 1;
  batch.first_timestamp_ms = std::numeric_limits<std::int64_t>::max();
  batch.records = records;
  record_reader reader(batch);
  raw_record record;
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(hex(record.fields), "010100");
  batch_builder builder;
  builder.add(record_view{6, std::numeric_limits<std::int64_t>::min(), "k", "v", {}});
  builder.add(record);
  const std::string copied = builder.finish();
  const auto again = read_batch(copied);
  ASSERT_TRUE(again);
  record_reader copies(*again);
  ASSERT_TRUE(copies.next(record));
  ASSERT_TRUE(copies.next(record));
  EXPECT_EQ(record.offset, 7u);
  EXPECT_EQ(record.timestamp_ms, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(hex(record.fields), "010100");
}

TEST(record_batch, the_size_bound_holds) {
  const message_view message = reading("21.5");
  batch_builder builder;
  builder.add(1, 1, message);
  EXPECT_LE(builder.size(), record_batch_header_bytes + record_size_bound(message));
}

TEST(record_batch, every_cut_is_refused) {
  batch_builder builder;
  for (offset_t offset = 0; offset < 3; ++offset) builder.add(offset, 0, reading("21.5"));
  const std::string bytes = builder.finish();
  ASSERT_TRUE(check_produced(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(check_produced(std::string_view(bytes).substr(0, size)));
  }
  EXPECT_FALSE(check_produced(bytes + "x"));
}

// The CRC is corrected after the change, so that the checks after it are reached. A batch is refused or read, never out
// of bounds.
TEST(record_batch, flipped_bytes_never_lead_astray) {
  batch_builder builder;
  for (offset_t offset = 0; offset < 3; ++offset) builder.add(offset, 0, reading("21.5"));
  const std::string good = builder.finish();
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    bytes[random() % bytes.size()] = static_cast<char>(random());
    if (const auto batch = read_batch(bytes); batch && batch->bytes.size() == bytes.size()) {
      EXPECT_TRUE(bytes == good || !crc_matches(*batch) || bytes.substr(21) == good.substr(21));
    }
    store_be<std::uint32_t>(bytes.data() + 17, crc32c(std::string_view(bytes).substr(21)));
    if (const auto batch = check_produced(bytes)) {
      record_reader reader(*batch);
      record_view record;
      while (reader.next(record)) EXPECT_GE(record.body.data() + record.body.size(), record.body.data());
    }
  }
}

}  // namespace
}  // namespace tidegate
