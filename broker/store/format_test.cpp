// The bytes of docs/store-format.md.
#include "broker/store/format.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/chunk.hpp"

namespace tidegate::store {
namespace {

std::string hex(std::string_view data) {
  std::string out;
  for (const char byte : data) out += fmt::format("{:02x}", static_cast<std::uint8_t>(byte));
  return out;
}

std::string one_reading() {
  message_view message;
  message.routing_key = "hall";
  message.body = "21.5";
  batch_builder builder;
  builder.add(0, 1'700'000'000'000, message);
  return builder.finish();
}

// The batch of the worked example: its 61 bytes of header, then the record.
constexpr std::string_view batch_hex =
    "0000000000000000"
    "00000050"
    "00000000"
    "02"
    "dbec9160"
    "0000"
    "00000000"
    "0000018bcfe56800"
    "0000018bcfe56800"
    "ffffffffffffffff"
    "ffff"
    "ffffffff"
    "00000001"
    "3c"
    "00"
    "00"
    "00"
    "01"
    "08"
    "32312e35"
    "02"
    "1c"
    "74672d726f7574696e672d6b6579"
    "08"
    "68616c6c";

const commit_time example_time{milliseconds(60'000), milliseconds(1'700'000'000'000), true, 11, milliseconds(90'000)};

std::string example_blob() {
  blob_writer blob(7, example_time);
  blob.append(stream_id{1}, one_reading());
  blob.acked(stream_id{2}, {{5, 8}});
  return blob.finish().front().bytes;
}

TEST(format, keys_in_exact_bytes) {
  EXPECT_EQ(hex(journal_key(7, 1)),
            "0000000000000007"
            "0001");
  EXPECT_EQ(hex(chunk_key(stream_id{1}, 258)),
            "00000001"
            "0000000000000102");
  EXPECT_EQ(hex(stream_key(stream_id{3})),
            "53"
            "00000003");
  EXPECT_EQ(hex(block_key(stream_id{3}, 2)),
            "42"
            "00000003"
            "0000000000000002");
  EXPECT_EQ(hex(cursor_key(stream_id{3}, "ab")),
            "43"
            "00000003"
            "6162");
  EXPECT_EQ(hex(producer_key("ab")),
            "50"
            "6162");
  EXPECT_EQ(hex(loss_key(258)), "0000000000000102");
  EXPECT_EQ(number_of_loss_key(loss_key(258)), 258u);
  EXPECT_EQ(commit_of_journal_key(journal_key(7, 1)), 7u);
  EXPECT_EQ(place_of_chunk_key(chunk_key(stream_id{1}, 258)).last_offset, 258u);
}

TEST(format, a_blob_in_exact_bytes) {
  EXPECT_EQ(hex(example_blob()), fmt::format("54474a32"
                                             "000000a1"
                                             "5daae52a"
                                             "0000000000000007"
                                             "0000"
                                             "0001"
                                             "000000000000ea60"
                                             "0000018bcfe56800"
                                             "000000000000000b"
                                             "0000000000015f90"
                                             "01"
                                             "00000001"
                                             "5c"
                                             "{}"
                                             "02"
                                             "00000002"
                                             "05"
                                             "03",
                                             batch_hex));
}

TEST(format, a_chunk_in_exact_bytes) {
  EXPECT_EQ(hex(chunk_key(stream_id{1}, 0)),
            "00000001"
            "0000000000000000");
  EXPECT_EQ(hex(seal_chunk({stream_id{1}, 0}, one_reading())), fmt::format("54474331"
                                                                           "00000001"
                                                                           "0000000000000000"
                                                                           "00000074"
                                                                           "8a9f09d2"
                                                                           "{}",
                                                                           batch_hex));
}

loss_record example_loss() {
  return {loss_reason::retention_bytes,    stream_id{1}, {}, 5, 9, 4, 3, 500, milliseconds(1'700'000'000'000),
          milliseconds(1'700'000'000'100), true};
}

TEST(format, rows_in_exact_bytes) {
  EXPECT_EQ(hex(encode(checkpoint{stream_kind::queue, 5, 300, 1'700'000'000'000, 65'520, 7, 2, {}, {}})),
            "01"
            "0000000000000005"
            "000000000000012c"
            "0000018bcfe56800"
            "000000000000fff0"
            "0000000000000007"
            "0000000000000002"
            "0000000000000000"
            "0000000000000000"
            "549591b2");
  EXPECT_EQ(hex(encode(checkpoint{
                stream_kind::log, 5, 300, 1'700'000'000'000, 65'520, 7, 0, {4, 3}, {{milliseconds(60'000), 200}}})),
            "02"
            "0000000000000005"
            "000000000000012c"
            "0000018bcfe56800"
            "000000000000fff0"
            "0000000000000007"
            "0000000000000000"
            "0000000000000004"
            "0000000000000003"
            "000000000000ea60"
            "00000000000000c8"
            "e1f7d905");
  EXPECT_EQ(hex(encode(example_loss())),
            "01"
            "00000001"
            "00"
            "0000000000000005"
            "0000000000000009"
            "0000000000000004"
            "0000000000000003"
            "00000000000001f4"
            "0000018bcfe56800"
            "0000018bcfe56864"
            "01"
            "4994c88b");
  EXPECT_EQ(decode_loss(encode(example_loss())), example_loss());
  EXPECT_EQ(hex(encode(cursor_state{300, "x"})),
            "000000000000012c"
            "01"
            "78"
            "91b0afad");
  EXPECT_EQ(hex(encode(producer_state{1, 2, 3})),
            "00000001"
            "0000000000000002"
            "0000000000000003"
            "1de0a3f4");
  ack_block block;
  block.bits[0] = 5;
  block.deliveries = {{1, 2}};
  const std::string row = encode(block);
  EXPECT_EQ(hex(row.substr(0, 2)), "0500");
  EXPECT_EQ(hex(row.substr(128, 6)),
            "0001"
            "00000002");
  EXPECT_EQ(row.size(), 128u + 6 + 4);
}

// Everything a blob can say, as text, in the order it says it.
std::string told(std::string_view blob) {
  std::string out;
  const auto number = [](stream_id id) { return static_cast<std::uint32_t>(id); };
  blob_visitor visitor;
  visitor.time = [&](const commit_time& time) {
    out += fmt::format("at {} {} {};", time.lifetime.count(), time.wall.count(), time.wall_trusted);
  };
  visitor.append = [&](stream_id id, std::string_view batch, blob_writer::place place) {
    EXPECT_EQ(blob.substr(place.position, batch.size()), batch);
    out += fmt::format("append {} {} in {};", number(id), batch.size(), place.part);
  };
  visitor.acked = [&](stream_id id, offset_range range) {
    out += fmt::format("acked {} {}-{};", number(id), range.begin, range.end);
  };
  visitor.delivered = [&](stream_id id, offset_t offset, std::uint32_t count) {
    out += fmt::format("delivered {} {} {};", number(id), offset, count);
  };
  visitor.trimmed = [&](stream_id id, offset_t log_start) {
    out += fmt::format("trimmed {} {};", number(id), log_start);
  };
  visitor.cursor = [&](stream_id id, std::string_view group, const cursor_state& cursor) {
    out += fmt::format("cursor {} {} {} {};", number(id), group, cursor.offset, cursor.metadata);
  };
  visitor.producer = [&](std::string_view name, std::optional<producer_state> state) {
    out += state ? fmt::format("producer {} {};", name, state->sequence) : fmt::format("no producer {};", name);
  };
  visitor.age_marked = [&](stream_id id, const age_mark& mark) {
    out += fmt::format("age {} {} {};", number(id), mark.lifetime.count(), mark.offset);
  };
  visitor.lost = [&](loss_number row, const loss_record& record, const drop_totals& totals) {
    out += fmt::format("lost {} {} {} {} of {};", row, number(record.stream), name(record.reason), record.records,
                       totals.records);
  };
  visit_blob(blob, visitor);
  return out;
}

std::string full_blob() {
  blob_writer blob(7, example_time);
  blob.append(stream_id{1}, one_reading());
  blob.acked(stream_id{2}, {{5, 8}, {10, 300}});
  blob.deliveries(stream_id{2}, {{9, 3}});
  blob.trimmed(stream_id{1}, 4);
  blob.cursor(stream_id{1}, "readers", {9, "meta"});
  blob.producer("sensor", {1, 44, 5});
  blob.producer_erased("old");
  blob.age_marked(stream_id{1}, {milliseconds(30), 3});
  blob.lost(8, example_loss(), {40, 30});
  return blob.finish().front().bytes;
}

TEST(format, a_blob_is_taken_apart_in_its_order) {
  EXPECT_EQ(told(full_blob()),
            "at 60000 1700000000000 true;append 1 92 in 0;acked 2 5-8;acked 2 10-300;delivered 2 9 3;trimmed 1 "
            "4;cursor 1 readers 9 meta;"
            "producer sensor 44;no producer old;age 1 30 3;lost 8 1 retention_bytes 4 of 40;");
}

TEST(format, a_long_commit_is_split_into_parts) {
  blob_writer blob(7, example_time);
  for (int i = 0; i < 4'000; ++i) blob.append(stream_id{1}, one_reading());
  const auto parts = blob.finish();
  ASSERT_EQ(parts.size(), 2u);
  for (const auto& part : parts) EXPECT_LE(part.bytes.size(), blob_bytes_max);
  EXPECT_THAT(told(parts[1].bytes), testing::HasSubstr("in 1;"));
  EXPECT_TRUE(blob.empty());
  blob.append(stream_id{1}, one_reading());
  EXPECT_EQ(blob.finish().front().number, 2u);
}

TEST(format, every_cut_of_a_blob_is_refused) {
  const std::string blob = full_blob();
  for (std::size_t size = 0; size < blob.size(); ++size) {
    EXPECT_THROW(told(std::string_view(blob).substr(0, size)), storage_failure) << size;
  }
  EXPECT_THROW(told(blob + "x"), storage_failure);
}

TEST(format, every_flipped_bit_of_a_blob_is_refused) {
  std::string blob = full_blob();
  for (std::size_t bit = 0; bit < blob.size() * 8; ++bit) {
    blob[bit / 8] = static_cast<char>(blob[bit / 8] ^ (1 << bit % 8));
    EXPECT_THROW(told(blob), storage_failure) << bit;
    blob[bit / 8] = static_cast<char>(blob[bit / 8] ^ (1 << bit % 8));
  }
}

// With a CRC made right again: what is behind it is refused or read, never out of bounds.
TEST(format, wild_entries_never_lead_astray) {
  const std::string good = full_blob();
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string blob = good;
    for (int flips = 0; flips < 3; ++flips) blob[56 + random() % (blob.size() - 56)] = static_cast<char>(random());
    store_be<std::uint32_t>(blob.data() + 8, crc32c(std::string_view(blob).substr(12)));
    try {
      told(blob);
    } catch (const storage_failure&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

bool is_right(chunk_place place, std::string_view value) {
  const auto batches = read_chunk(place, value);
  if (!batches) return false;
  for (const batch_view& batch : *batches) {
    if (!crc_matches(batch)) return false;
  }
  return true;
}

TEST(format, every_flipped_bit_and_cut_of_a_chunk_is_seen) {
  const chunk_place place{stream_id{1}, 0};
  std::string value = seal_chunk(place, one_reading() + one_reading());
  ASSERT_TRUE(is_right(place, value));
  EXPECT_FALSE(is_right({stream_id{2}, 0}, value));
  EXPECT_FALSE(is_right({stream_id{1}, 1}, value));
  for (std::size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(is_right(place, std::string_view(value).substr(0, size)));
  }
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(is_right(place, value)) << bit;
    value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << bit % 8));
  }
}

template <class Decode>
void expect_damage_seen(std::string row, const Decode& decode) {
  decode(row);
  for (std::size_t size = 0; size < row.size(); ++size) EXPECT_THROW(decode(row.substr(0, size)), storage_failure);
  for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
    row[bit / 8] = static_cast<char>(row[bit / 8] ^ (1 << bit % 8));
    EXPECT_THROW(decode(row), storage_failure) << bit;
    row[bit / 8] = static_cast<char>(row[bit / 8] ^ (1 << bit % 8));
  }
}

TEST(format, damaged_rows_are_seen) {
  expect_damage_seen(encode(checkpoint{}), [](std::string_view row) { decode_checkpoint(row); });
  expect_damage_seen(encode(cursor_state{1, "x"}), [](std::string_view row) { decode_cursor(row); });
  expect_damage_seen(encode(producer_state{1, 2, 3}), [](std::string_view row) { decode_producer(row); });
  expect_damage_seen(encode(ack_block{}), [](std::string_view row) { decode_block(row); });
  expect_damage_seen(encode(example_loss()), [](std::string_view row) { decode_loss(row); });
  expect_damage_seen(sealed("{}"), [](std::string_view row) { unsealed(row, "a definition"); });
}

}  // namespace
}  // namespace tidegate::store
