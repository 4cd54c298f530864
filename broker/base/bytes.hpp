// Byte orders and varints. Bytes are std::string when owned and std::string_view when borrowed.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tidegate {

namespace detail {

// GCC and Clang turn this into one byte-swap instruction.
template <std::unsigned_integral T>
constexpr T swap_to_big_endian(T value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return value;
  T swapped = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    swapped = static_cast<T>((swapped << 8) | ((value >> (8 * i)) & 0xFF));
  }
  return swapped;
}

}  // namespace detail

// Reads a big-endian integer. `data` holds at least sizeof(T) bytes.
template <std::unsigned_integral T>
T load_be(const char* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return detail::swap_to_big_endian(value);
}

template <std::unsigned_integral T>
void store_be(char* out, T value) {
  value = detail::swap_to_big_endian(value);
  std::memcpy(out, &value, sizeof value);
}

template <std::unsigned_integral T>
void append_be(std::string& out, T value) {
  char buffer[sizeof(T)];
  store_be(buffer, value);
  out.append(buffer, sizeof buffer);
}

// Protobuf's and Kafka's base-128 varint, unsigned; zig-zag maps signed numbers of small magnitude to small ones.
constexpr std::size_t varint_bytes_max = 10;
inline std::size_t varint_size(std::uint64_t value) {
  return static_cast<std::size_t>(std::bit_width(value | 1) + 6) / 7;
}
// Write at `at`, where the caller provides the room, and return the position after what was written.
inline char* put_varint(char* at, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}
inline char* put_bytes(char* at, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}
inline void append_varint(std::string& out, std::uint64_t value) {
  char bytes[varint_bytes_max];
  out.append(bytes, static_cast<std::size_t>(put_varint(bytes, value) - bytes));
}
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Reads borrowed bytes in order. A read past the end, or an overlong varint, makes the reader fail for good: from then
// on it returns zeros and empty views. So a decoder checks `failed()` once, at its end.
class byte_reader {
 public:
  explicit byte_reader(std::string_view data) : data_(data) {}

  template <std::unsigned_integral T>
  T be() {
    const std::string_view raw = take(sizeof(T));
    return failed_ ? T{0} : load_be<T>(raw.data());
  }
  std::uint64_t varint() {
    // Most varints are one or two bytes.
    if (data_.size() < 2) return long_varint();
    const auto first = static_cast<std::uint8_t>(data_[0]), second = static_cast<std::uint8_t>(data_[1]);
    if (first < 0x80) {
      data_.remove_prefix(1);
      return first;
    }
    if (second >= 0x80) return long_varint();
    data_.remove_prefix(2);
    return (first & 0x7Fu) | std::uint64_t{second} << 7;
  }
  std::int64_t signed_varint() { return unzigzag(varint()); }
  std::string_view take(std::uint64_t size) {
    if (size > data_.size()) return fail();
    const std::string_view taken(data_.data(), size);
    data_.remove_prefix(size);
    return taken;
  }
  std::string_view rest() { return take(data_.size()); }

  bool failed() const { return failed_; }
  bool at_end() const { return data_.empty(); }
  std::size_t remaining() const { return data_.size(); }

 private:
  std::uint64_t long_varint();
  std::string_view fail();

  std::string_view data_;
  bool failed_ = false;
};

}  // namespace tidegate
