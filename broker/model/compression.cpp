#include "broker/model/compression.hpp"

#include <fmt/format.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "broker/base/bytes.hpp"

namespace tidegate {
namespace {

constexpr std::uint16_t codec_bits = 7;
constexpr std::size_t step_bytes = 64 * 1024;

error malformed(codec codec) {
  return {errc::invalid, fmt::format("a batch compressed with {} does not decode", name(codec)), "batch"};
}

error too_large(std::size_t bytes_max) {
  return {errc::too_large, fmt::format("a compressed batch turns into more than {} bytes", bytes_max), "batch"};
}

// Extends a text step by step: `more(to, room)` writes at most `room` bytes and returns how many; 0 ends it.
template <class More>
result<std::string> gathered(std::size_t bytes_max, const More& more) {
  std::string out;
  while (true) {
    const std::size_t before = out.size();
    if (before > bytes_max) return too_large(bytes_max);
    out.resize(before + step_bytes);
    const result<std::size_t> written = more(out.data() + before, step_bytes);
    if (!written) return written.error();
    out.resize(before + *written);
    if (*written == 0) return out;
  }
}

result<std::string> from_gzip(std::string_view in, std::size_t bytes_max) {
  constexpr int gzip_window = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, gzip_window) != Z_OK) return malformed(codec::gzip);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  bool is_over = false;
  return gathered(bytes_max, [&](char* to, std::size_t room) -> result<std::size_t> {
    if (is_over) return std::size_t{0};
    stream.next_out = reinterpret_cast<Bytef*>(to);
    stream.avail_out = static_cast<uInt>(room);
    const int answer = inflate(&stream, Z_NO_FLUSH);
    is_over = answer == Z_STREAM_END;
    // Input that ends too early makes no progress.
    if (!is_over && (answer != Z_OK || stream.avail_out == room)) return malformed(codec::gzip);
    return room - stream.avail_out;
  });
}

result<std::string> from_lz4(std::string_view in, std::size_t bytes_max) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0) return malformed(codec::lz4);
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(made, LZ4F_freeDecompressionContext);
  bool is_over = false;
  return gathered(bytes_max, [&](char* to, std::size_t room) -> result<std::size_t> {
    std::size_t written = 0;
    while (!is_over && written == 0) {
      std::size_t taken = in.size();
      written = room;
      const std::size_t answer = LZ4F_decompress(context.get(), to, &written, in.data(), &taken, nullptr);
      is_over = answer == 0;
      if (LZ4F_isError(answer) != 0 || (!is_over && taken == 0 && written == 0)) return malformed(codec::lz4);
      in.remove_prefix(taken);
    }
    return written;
  });
}

result<std::string> from_zstd(std::string_view in, std::size_t bytes_max) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  // A frame may ask for a window far larger than its content.
  constexpr int window_log_max = 24;
  if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_log_max)) != 0) {
    return malformed(codec::zstd);
  }
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  bool is_over = false;
  return gathered(bytes_max, [&](char* to, std::size_t room) -> result<std::size_t> {
    ZSTD_outBuffer into{to, room, 0};
    while (!is_over && into.pos == 0) {
      const std::size_t before = from.pos;
      const std::size_t answer = ZSTD_decompressStream(context.get(), &into, &from);
      is_over = answer == 0;
      if (ZSTD_isError(answer) != 0 || (!is_over && from.pos == before && into.pos == 0)) return malformed(codec::zstd);
    }
    return into.pos;
  });
}

result<void> append_snappy(std::string& out, std::string_view block, std::size_t bytes_max) {
  std::size_t size = 0;
  if (snappy_uncompressed_length(block.data(), block.size(), &size) != SNAPPY_OK) return malformed(codec::snappy);
  if (size > bytes_max - std::min(bytes_max, out.size())) return too_large(bytes_max);
  const std::size_t before = out.size();
  out.resize(before + size);
  if (snappy_uncompress(block.data(), block.size(), out.data() + before, &size) == SNAPPY_OK) return {};
  return malformed(codec::snappy);
}

// Framing of snappy-java, which Java's clients write: magic, two versions, then blocks, each after its length.
result<std::string> from_snappy(std::string_view in, std::size_t bytes_max) {
  constexpr std::string_view magic("\x82SNAPPY\0", 8);
  constexpr std::size_t versions_bytes = 8;
  std::string out;
  if (!in.starts_with(magic)) {
    if (const auto appended = append_snappy(out, in, bytes_max); !appended) return appended.error();
    return out;
  }
  byte_reader reader(in);
  reader.take(magic.size() + versions_bytes);
  while (!reader.failed() && !reader.at_end()) {
    const std::string_view block = reader.take(reader.be<std::uint32_t>());
    if (reader.failed()) return malformed(codec::snappy);
    if (const auto appended = append_snappy(out, block, bytes_max); !appended) return appended.error();
  }
  if (reader.failed()) return malformed(codec::snappy);
  return out;
}

}  // namespace

codec codec_of(const batch_view& batch) { return static_cast<codec>(batch.attributes & codec_bits); }

std::string name(codec codec) {
  constexpr std::array<const char*, 5> names{"none", "gzip", "snappy", "lz4", "zstd"};
  const auto number = static_cast<std::size_t>(codec);
  return number < names.size() ? names[number] : fmt::format("codec {}", number);
}

result<std::string> decompress(const batch_view& batch, std::size_t bytes_max) {
  switch (codec_of(batch)) {
    case codec::none: return std::string(batch.records);
    case codec::gzip: return from_gzip(batch.records, bytes_max);
    case codec::snappy: return from_snappy(batch.records, bytes_max);
    case codec::lz4: return from_lz4(batch.records, bytes_max);
    case codec::zstd: return from_zstd(batch.records, bytes_max);
  }
  return error{errc::unsupported,
               fmt::format("a batch is compressed with {}, which is not known", name(codec_of(batch))), "batch"};
}

batch_view opened(const batch_view& batch, std::string_view records) {
  batch_view open = batch;
  open.records = records;
  open.attributes = static_cast<std::uint16_t>(batch.attributes & ~codec_bits);
  return open;
}

}  // namespace tidegate
