#include "broker/base/bytes.hpp"

namespace tidegate {

std::uint64_t byte_reader::long_varint() {
  std::uint64_t value = 0;
  std::size_t size = 0;
  for (unsigned shift = 0; shift < 64 && size < data_.size(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(data_[size++]);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) != 0) continue;
    data_.remove_prefix(size);
    return value;
  }
  fail();
  return 0;
}

std::string_view byte_reader::fail() {
  failed_ = true;
  data_ = {};
  return {};
}

}  // namespace tidegate
