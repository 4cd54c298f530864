// Writes and reads protobuf fields by hand: for frames that come by the hundred thousand a second, and for the store.
// nanopb's descriptors take several times the instructions. The bytes are the same as nanopb's: a value of 0 or empty
// is absent (proto3). Field numbers are below 16, so that a key is one byte.
#pragma once

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/base/error.hpp"

namespace tidegate::protobuf {

enum class wire_type : std::uint32_t { varint = 0, fixed64 = 1, sized = 2, fixed32 = 5 };

constexpr std::uint32_t key_of(std::uint32_t field, wire_type type) {
  return field << 3 | static_cast<std::uint32_t>(type);
}

inline char* put_key(char* at, std::uint32_t field, wire_type type) {
  *at++ = static_cast<char>(key_of(field, type));
  return at;
}

// Return the bytes of a field with its key, as field_writer writes it; 0 for a field that is absent.
inline std::size_t size_of(std::uint64_t number) { return number == 0 ? 0 : 1 + varint_size(number); }
inline std::size_t size_of(std::string_view text) {
  return text.empty() ? 0 : 1 + varint_size(text.size()) + text.size();
}
// Returns the bytes of a field that holds a message of two texts, numbered 1 and 2, as field_writer::pair() writes it.
inline std::size_t size_of(std::string_view first, std::string_view second) {
  const std::size_t inner = size_of(first) + size_of(second);
  return 1 + varint_size(inner) + inner;
}

// Appends one message as a field of another, such as a frame of the native protocol. The caller gives the size of its
// body: the sum of size_of() for every field that is written. With too small a size, fields are written out of bounds.
class field_writer {
 public:
  field_writer(std::string& out, std::uint32_t field, std::size_t size) : out_(out) {
    const std::uint32_t key = key_of(field, wire_type::sized);
    const std::size_t before = out.size();
    out.resize(before + varint_size(key) + varint_size(size) + size);
    at_ = out.data() + before;
    varint(key);
    varint(size);
  }

  void number(std::uint32_t field, std::uint64_t value) {
    if (value == 0) return;
    at_ = put_varint(put_key(at_, field, wire_type::varint), value);
  }
  void text(std::uint32_t field, std::string_view value) {
    if (value.empty()) return;
    at_ = put_bytes(put_varint(put_key(at_, field, wire_type::sized), value.size()), value);
  }
  void pair(std::uint32_t field, std::string_view first, std::string_view second) {
    at_ = put_varint(put_key(at_, field, wire_type::sized), size_of(first) + size_of(second));
    text(1, first);
    text(2, second);
  }
  // Call at the end: checks that exactly the announced size was written.
  void finish() const { TIDEGATE_EXPECT(at_ == out_.data() + out_.size()); }

 private:
  void varint(std::uint64_t value) { at_ = put_varint(at_, value); }

  std::string& out_;
  char* at_;
};

// Write a field at `at`, where the caller provides size_of() bytes, and return the position after it.
inline char* put_number(char* at, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return at;
  return put_varint(put_key(at, field, wire_type::varint), value);
}
inline char* put_text(char* at, std::uint32_t field, std::string_view value) {
  if (value.empty()) return at;
  return put_bytes(put_varint(put_key(at, field, wire_type::sized), value.size()), value);
}

// Append a field. A number that is 0 and a text that is empty are left out.
inline void append_number(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  append_varint(out, key_of(field, wire_type::varint));
  append_varint(out, value);
}
// Appends an element of a repeated field, which is present even if it is empty.
inline void append_element(std::string& out, std::uint32_t field, std::string_view value) {
  append_varint(out, key_of(field, wire_type::sized));
  append_varint(out, value.size());
  out.append(value);
}
inline void append_text(std::string& out, std::uint32_t field, std::string_view value) {
  if (!value.empty()) append_element(out, field, value);
}

struct field {
  std::uint32_t number = 0;
  wire_type type = wire_type::varint;
  std::uint64_t value = 0;  // of a varint field
  std::string_view text;    // of a field with a length
};

// Walks the fields of a message in the order in which they are encoded. Views point into the message. The values of
// fixed32 and fixed64 fields are skipped.
class field_reader {
 public:
  explicit field_reader(std::string_view message) : reader_(message) {}

  // Returns false at the end, or if a field does not decode; failed() tells which.
  bool next(field& field) {
    if (reader_.failed() || reader_.at_end()) return false;
    const std::uint64_t key = reader_.varint();
    field = {static_cast<std::uint32_t>(key >> 3), static_cast<wire_type>(key & 7), 0, {}};
    if (key > key_max || field.number == 0) reader_.take(reader_.remaining() + 1);  // no such field
    switch (field.type) {
      case wire_type::varint: field.value = reader_.varint(); break;
      case wire_type::sized: field.text = reader_.take(reader_.varint()); break;
      case wire_type::fixed64: reader_.take(8); break;
      case wire_type::fixed32: reader_.take(4); break;
      default: reader_.take(reader_.remaining() + 1);  // no such type
    }
    return !reader_.failed();
  }
  bool failed() const { return reader_.failed(); }

 private:
  static constexpr std::uint64_t key_max = 0xFFFF'FFFF;
  byte_reader reader_;
};

}  // namespace tidegate::protobuf
