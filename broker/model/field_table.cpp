#include "broker/model/field_table.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <variant>

#include "broker/base/bytes.hpp"

namespace tidegate {
namespace {

constexpr int levels_max = 16;

// Returns the bytes of a value of fixed length; none for the other types.
std::optional<std::size_t> fixed_size(char type) {
  switch (type) {
    case 'V': return 0;
    case 't':
    case 'b':
    case 'B': return 1;
    case 's':
    case 'u': return 2;
    case 'I':
    case 'i':
    case 'f': return 4;
    case 'D': return 5;
    case 'l':
    case 'd':
    case 'T': return 8;
    default: return std::nullopt;
  }
}

bool has_length(char type) { return type == 'S' || type == 'x' || type == 'A' || type == 'F'; }

// Reads a value behind its type. The reader fails if the type is not known or the value is cut off.
std::string_view take_value(byte_reader& reader, char type) {
  if (const auto size = fixed_size(type)) return reader.take(*size);
  if (has_length(type)) return reader.take(reader.be<std::uint32_t>());
  return reader.take(reader.remaining() + 1);
}

bool decodes(std::string_view fields, bool is_named, int level) {
  if (level > levels_max) return false;
  byte_reader reader(fields);
  while (!reader.at_end() && !reader.failed()) {
    if (is_named) reader.take(reader.be<std::uint8_t>());
    const char type = static_cast<char>(reader.be<std::uint8_t>());
    const std::string_view value = take_value(reader, type);
    if (reader.failed()) return false;
    if ((type == 'A' || type == 'F') && !decodes(value, type == 'F', level + 1)) return false;
  }
  return !reader.failed();
}

template <class Unsigned>
std::int64_t as_signed(std::string_view value) {
  return static_cast<std::make_signed_t<Unsigned>>(load_be<Unsigned>(value.data()));
}

void append_name(std::string& table, std::string_view name) {
  TIDEGATE_EXPECT(name.size() <= 255);
  table.push_back(static_cast<char>(name.size()));
  table.append(name);
}

}  // namespace

std::optional<std::int64_t> table_field::number() const {
  const char* const data = value.data();
  switch (type) {
    case 'b': return as_signed<std::uint8_t>(value);
    case 'B': return load_be<std::uint8_t>(data);
    case 's': return as_signed<std::uint16_t>(value);
    case 'u': return load_be<std::uint16_t>(data);
    case 'I': return as_signed<std::uint32_t>(value);
    case 'i': return load_be<std::uint32_t>(data);
    case 'l':
    case 'T': return as_signed<std::uint64_t>(value);
    default: return std::nullopt;
  }
}

std::optional<double> table_field::real() const {
  const char* const data = value.data();
  switch (type) {
    case 'f': return std::bit_cast<float>(load_be<std::uint32_t>(data));
    case 'd': return std::bit_cast<double>(load_be<std::uint64_t>(data));
    case 'D': {
      const auto scale = load_be<std::uint8_t>(data);
      return static_cast<double>(as_signed<std::uint32_t>(value.substr(1))) / std::pow(10.0, scale);
    }
    default: return std::nullopt;
  }
}

std::optional<std::string_view> table_field::text() const {
  return type == 'S' || type == 'x' ? std::optional(value) : std::nullopt;
}

std::optional<bool> table_field::boolean() const {
  return type == 't' ? std::optional(value.front() != 0) : std::nullopt;
}

bool table_reader::next(table_field& field) {
  if (failed_ || rest_.empty()) return false;
  byte_reader reader(rest_);
  field.name = reader.take(reader.be<std::uint8_t>());
  field.type = static_cast<char>(reader.be<std::uint8_t>());
  field.value = take_value(reader, field.type);
  failed_ = reader.failed();
  rest_.remove_prefix(rest_.size() - reader.remaining());
  return !failed_;
}

result<void> check_table(std::string_view what, std::string_view table) {
  if (decodes(table, true, 1)) return {};
  return error{errc::invalid,
               fmt::format("{}: the field table does not decode, or nests deeper than {} levels", what, levels_max),
               std::string(what)};
}

std::optional<table_field> find_field(std::string_view table, std::string_view name) {
  table_reader reader(table);
  table_field field;
  while (reader.next(field)) {
    if (field.name == name) return field;
  }
  return std::nullopt;
}

bool is_same_value(const table_field& a, const table_field& b) {
  const auto whole_a = a.number(), whole_b = b.number();
  if (whole_a && whole_b) return *whole_a == *whole_b;
  const auto real_a = whole_a ? static_cast<double>(*whole_a) : a.real();
  const auto real_b = whole_b ? static_cast<double>(*whole_b) : b.real();
  if (real_a && real_b) return *real_a == *real_b;
  if (a.text() && b.text()) return a.value == b.value;
  return a.type == b.type && a.value == b.value;
}

void append_text(std::string& table, std::string_view name, std::string_view value) {
  append_field(table, {name, 'S', value});
}

void append_number(std::string& table, std::string_view name, std::int64_t value) {
  append_name(table, name);
  table.push_back('l');
  append_be(table, static_cast<std::uint64_t>(value));
}

void append_boolean(std::string& table, std::string_view name, bool value) {
  append_name(table, name);
  table.push_back('t');
  table.push_back(value ? '\1' : '\0');
}

void append_field(std::string& table, const table_field& field) {
  append_name(table, field.name);
  table.push_back(field.type);
  if (has_length(field.type)) append_be(table, static_cast<std::uint32_t>(field.value.size()));
  table.append(field.value);
}

}  // namespace tidegate
