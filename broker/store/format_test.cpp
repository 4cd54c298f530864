// Checks keys and values against the bytes in docs/store-format.md. blob_test.cpp does so for the journal's blobs.
#include "broker/store/format.hpp"

#include <gtest/gtest.h>

#include "broker/store/chunk.hpp"
#include "broker/store/example_bytes.hpp"

namespace tidegate::store {
namespace {

TEST(format, keys_in_exact_bytes) {
  EXPECT_EQ(hex(chunk_key(stream_id{1}, 258, 3)),
            "00000001"
            "0000000000000102"
            "0003");
  EXPECT_EQ(hex(stream_key(stream_id{3})),
            "53"
            "00000003");
  EXPECT_EQ(hex(block_key(stream_id{3}, 2)),
            "42"
            "00000003"
            "0000000000000002");
  EXPECT_EQ(hex(cursor_key(stream_id{3}, "ab")),
            "63"
            "00000003"
            "6162");
  EXPECT_EQ(hex(producer_key("ab")),
            "50"
            "6162");
  EXPECT_EQ(hex(loss_key(258)), "0000000000000102");
  EXPECT_EQ(number_of_loss_key(loss_key(258)), 258u);
  EXPECT_EQ(place_of_chunk_key(chunk_key(stream_id{1}, 258, 3)), (chunk_place{stream_id{1}, 258}));
  EXPECT_EQ(piece_of_chunk_key(chunk_key(stream_id{1}, 258, 3)), 3u);
}

TEST(format, a_chunk_in_exact_bytes) {
  EXPECT_EQ(hex(chunk_key(stream_id{1}, 0)),
            "00000001"
            "0000000000000000"
            "0000");
  EXPECT_EQ(hex(seal_chunk(example_chunk_header(), one_reading())), fmt::format("{}{}", chunk_header_hex, batch_hex));
}

TEST(format, rows_in_exact_bytes) {
  EXPECT_EQ(hex(encode(checkpoint{stream_kind::queue, 5, 300, 1'700'000'000'000, 65'520, 7, 2, 900, {}, 290, {}, {}})),
            "01"
            "0000000000000005"
            "000000000000012c"
            "0000018bcfe56800"
            "000000000000fff0"
            "0000000000000007"
            "0000000000000002"
            "0000000000000384"
            "0000000000000000"
            "0000000000000000"
            "0000000000000122"
            "00");
  EXPECT_EQ(hex(encode(checkpoint{stream_kind::log,
                                  5,
                                  300,
                                  1'700'000'000'000,
                                  65'520,
                                  7,
                                  0,
                                  0,
                                  {4, 3},
                                  300,
                                  {{299, 1'700'000'000'000}},
                                  {{milliseconds(60'000), 200}}})),
            "02"
            "0000000000000005"
            "000000000000012c"
            "0000018bcfe56800"
            "000000000000fff0"
            "0000000000000007"
            "0000000000000000"
            "0000000000000000"
            "0000000000000004"
            "0000000000000003"
            "000000000000012c"
            "01"
            "000000000000012b"
            "0000018bcfe56800"
            "000000000000ea60"
            "00000000000000c8");
}

TEST(format, small_rows_in_exact_bytes) {
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
            "01");
  EXPECT_EQ(decode_loss(encode(example_loss())), example_loss());
  EXPECT_EQ(hex(encode(cursor_state{300, "x"})),
            "000000000000012c"
            "01"
            "78");
  EXPECT_EQ(hex(encode(producer_state{1, 2, 3})),
            "00000001"
            "0000000000000002"
            "0000000000000003");
  ack_block block;
  block.bits[0] = 5;
  block.deliveries = {{1, 2}, {16, deliveries_max}};
  const std::string row = encode(block);
  EXPECT_EQ(hex(row.substr(0, 2)), "0500");
  EXPECT_EQ(hex(row.substr(128)),
            "00"
            "01"
            "02"
            "0f"
            "ff7f");
  ack_block full;
  full.bits = std::string(128, '\xFF');
  full.full_after = 300;
  EXPECT_EQ(hex(encode(full).substr(127)), "ffac02");
  EXPECT_EQ(offsets_of(2, decode_block(encode(full))), (offset_range{2'048, 303 * 1'024}));
  EXPECT_THROW(offsets_of(~std::uint64_t{0} / 1'024 - 300, full), storage_failure);
  full.bits[5] = 1;
  EXPECT_THROW(decode_block(encode(full)), storage_failure);
}

bool is_right(chunk_place place, std::string_view value) {
  const auto chunk = read_chunk(place, value);
  const auto is_whole = [](const batch_view& batch) { return crc_matches(batch); };
  return chunk && std::all_of(chunk->batches.begin(), chunk->batches.end(), is_whole);
}

TEST(format, every_flipped_bit_and_cut_of_a_chunk_is_seen) {
  const chunk_place place{stream_id{1}, 0};
  std::string value = seal_chunk({place}, one_reading() + one_reading());
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
void expect_cuts_refused(const std::string& value, const Decode& decode) {
  decode(value);
  for (std::size_t size = 0; size < value.size(); ++size) EXPECT_THROW(decode(value.substr(0, size)), storage_failure);
}

TEST(format, cut_values_do_not_decode) {
  expect_cuts_refused(encode(checkpoint{}), [](std::string_view value) { decode_checkpoint(value); });
  expect_cuts_refused(encode(cursor_state{1, "x"}), [](std::string_view value) { decode_cursor(value); });
  expect_cuts_refused(encode(producer_state{1, 2, 3}), [](std::string_view value) { decode_producer(value); });
  expect_cuts_refused(encode(ack_block{}), [](std::string_view value) { decode_block(value); });
  expect_cuts_refused(encode(example_loss()), [](std::string_view value) { decode_loss(value); });
}

}  // namespace
}  // namespace tidegate::store
