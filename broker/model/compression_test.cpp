#include "broker/model/compression.hpp"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "broker/base/bytes.hpp"

namespace tidegate {
namespace {

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 1'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string raw_snappy(std::string_view text) {
  std::string out(snappy_max_compressed_length(text.size()), '\0');
  std::size_t size = out.size();
  EXPECT_EQ(snappy_compress(text.data(), text.size(), out.data(), &size), SNAPPY_OK);
  out.resize(size);
  return out;
}

std::string framed_snappy(std::string_view text) {
  std::string out("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
  for (std::size_t at = 0; at < text.size(); at += 1'000) {
    const std::string block = raw_snappy(text.substr(at, 1'000));
    append_be(out, static_cast<std::uint32_t>(block.size()));
    out.append(block);
  }
  return out;
}

std::string lz4(std::string_view text) {
  std::string out(LZ4F_compressFrameBound(text.size(), nullptr), '\0');
  out.resize(LZ4F_compressFrame(out.data(), out.size(), text.data(), text.size(), nullptr));
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

batch_view batch_of(codec codec, std::string_view records) {
  batch_view batch;
  batch.attributes = static_cast<std::uint16_t>(codec);
  batch.records = records;
  return batch;
}

struct packed {
  tidegate::codec codec;
  std::string (*pack)(std::string_view);
};

class compression : public testing::TestWithParam<packed> {};

TEST_P(compression, comes_back) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += std::to_string(i * 7'919) + (i % 3 == 0 ? "\n" : "x");
  for (const std::size_t size : {std::size_t{1}, std::size_t{999}, text.size()}) {
    const std::string_view wanted = std::string_view(text).substr(0, size);
    const std::string bytes = GetParam().pack(wanted);
    const auto found = decompress(batch_of(GetParam().codec, bytes), 1 << 20);
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(*found, wanted);
  }
}

TEST_P(compression, is_bounded) {
  const std::string bytes = GetParam().pack(std::string(4 << 20, '0'));
  EXPECT_EQ(decompress(batch_of(GetParam().codec, bytes), 1 << 20).error().code, errc::too_large);
}

TEST_P(compression, of_what_is_cut_off_or_turned_ends_with_an_error_or_other_bytes) {
  const std::string text(5'000, 'a'), whole = GetParam().pack(text);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);  // a copy, so that a read beyond its end is seen
    const auto found = decompress(batch_of(GetParam().codec, cut), 1 << 20);
    EXPECT_TRUE(!found || found->size() < text.size()) << size;
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string turned = whole;
    turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ (1 << (bit % 8)));
    static_cast<void>(decompress(batch_of(GetParam().codec, turned), 1 << 20));
  }
}

INSTANTIATE_TEST_SUITE_P(all, compression,
                         testing::Values(packed{codec::gzip, gzip}, packed{codec::snappy, raw_snappy},
                                         packed{codec::snappy, framed_snappy}, packed{codec::lz4, lz4},
                                         packed{codec::zstd, zstd}));

TEST(codecs, of_an_unknown_codec_is_named) {
  const auto found = decompress(batch_of(static_cast<codec>(5), "x"), 100);
  EXPECT_EQ(found.error().code, errc::unsupported);
  EXPECT_NE(found.error().text.find("codec 5"), std::string::npos);
  EXPECT_EQ(decompress(batch_of(codec::none, "x"), 100).value(), "x");
}

}  // namespace
}  // namespace tidegate
