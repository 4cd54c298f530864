#include "broker/base/bytes.hpp"

#include <array>

namespace tidegate {
namespace {

constexpr std::size_t varint_bytes_max = 10;

}  // namespace

void append_varint(std::string& out, std::uint64_t value) {
  std::array<char, varint_bytes_max> bytes;
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
  bytes[size++] = static_cast<char>(value);
  out.append(bytes.data(), size);
}

std::size_t varint_size(std::uint64_t value) { return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7; }

std::uint64_t byte_reader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = be<std::uint8_t>();
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  failed_ = true;
  data_ = {};
  return 0;
}

std::string_view byte_reader::take(std::uint64_t size) {
  if (size > data_.size()) {
    failed_ = true;
    data_ = {};
    return {};
  }
  const std::string_view taken = data_.substr(0, size);
  data_.remove_prefix(size);
  return taken;
}

}  // namespace tidegate
