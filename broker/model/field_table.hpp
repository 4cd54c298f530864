// Field tables: named, typed values in AMQP 0-9-1's encoding (clause 4.2.5.5, with the types that RabbitMQ uses). The
// headers in a message's properties, the arguments of queues, exchanges and bindings have this form, as they came.
//
// A table here is the bytes after its length: {name length u8, name, type u8, value}. Types and values:
//   t bool   b i8   B u8   s i16   u u16   I i32   i u32   l i64   f float   d double   D decimal (scale u8, i32)
//   T timestamp (u64, seconds)   S, x text and bytes (length u32)   A array (length u32, {type, value})
//   F table (length u32)   V nothing
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"

namespace tidegate {

struct table_field {
  std::string_view name;
  char type = 'V';
  std::string_view value;  // encoded; of S, x, A and F without the length

  // Return the value as a whole number, a real number, a text or a truth; none if the type is another one.
  std::optional<std::int64_t> number() const;
  std::optional<double> real() const;  // of f, d and D
  std::optional<std::string_view> text() const;
  std::optional<bool> boolean() const;
};

// Reads the fields of a table in their order. Views point into the table.
class table_reader {
 public:
  explicit table_reader(std::string_view table) : rest_(table) {}
  // Returns false at the end, or if the table is malformed; `failed()` tells which.
  bool next(table_field& field);
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// Checks that a table decodes, with the tables and arrays in it. Errors: it does not; more than 16 levels; `what` names
// the table.
result<void> check_table(std::string_view what, std::string_view table);

// Returns the first field of this name; none if there is none. The table has to decode.
std::optional<table_field> find_field(std::string_view table, std::string_view name);

// Returns whether the values of two fields are the same: numbers of any width and times by their value, texts by their
// bytes, arrays and tables by their encoding.
bool is_same_value(const table_field& a, const table_field& b);

// Appends one field to a table. A name has at most 255 bytes.
void append_text(std::string& table, std::string_view name, std::string_view value);
void append_number(std::string& table, std::string_view name, std::int64_t value);
void append_boolean(std::string& table, std::string_view name, bool value);
void append_field(std::string& table, const table_field& field);

}  // namespace tidegate
