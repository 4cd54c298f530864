// A configuration file that was read and checked against its schema: plain values by table and key. Programs copy the
// values into their own structures, check what a schema cannot express, and refuse a value with the file, the line and
// the key.
#pragma once

#include <concepts>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/base/error.hpp"
#include "broker/base/settings/schema.hpp"
#include "broker/base/settings/units.hpp"

namespace tidegate::settings {

using text_table = std::map<std::string, std::string>;

struct value {
  std::uint32_t line;  // of the file, from 1
  std::variant<std::string, bool, std::uint64_t, milliseconds, std::vector<std::string>, text_table> content;
};

// Returns "FILE: line N: KEY: what", as an error of code `invalid` whose field is the key. If the key is empty, "KEY: "
// is left out.
error refusal(std::string_view file, std::uint32_t line, std::string key, std::string_view what);

// One table of the file. A table that the file does not have is a section without values. Asking for a key that the
// schema does not declare, or by another type than its kind has, is a bug and ends the process.
class section {
 public:
  section(const table& declared, std::string_view file, std::uint32_t line)
      : declared_(&declared), file_(file), line_(line) {}

  void put(std::string_view key, value read) { values_.emplace(key, std::move(read)); }

  bool has(std::string_view key) const { return find(key) != nullptr; }
  // Return null when the file does not have the key.
  const std::string* text(std::string_view key) const { return get<std::string>(key); }
  const std::uint64_t* number(std::string_view key) const { return get<std::uint64_t>(key); }

  // Copies the key's value into `into`, which stays as it is when the file does not have the key. `Value` is bool,
  // milliseconds, std::string, an optional of bool or std::string, std::filesystem::path, std::vector<std::string> or
  // text_table, or, for numbers and sizes, an unsigned type that holds what the key's bounds allow.
  template <class Value>
  void read(std::string_view key, Value& into) const {
    if constexpr (std::same_as<Value, std::filesystem::path>) {
      if (const auto* const found = text(key)) into = *found;
    } else if constexpr (std::unsigned_integral<Value> && !std::same_as<Value, bool>) {
      if (const auto* const found = number(key)) into = static_cast<Value>(*found);
    } else if constexpr (std::same_as<Value, std::optional<std::uint32_t>>) {
      if (const auto* const found = number(key)) into = static_cast<std::uint32_t>(*found);
    } else if constexpr (std::same_as<Value, std::optional<bool>> || std::same_as<Value, std::optional<std::string>> ||
                         std::same_as<Value, std::optional<std::chrono::milliseconds>>) {
      if (const auto* const found = get<typename Value::value_type>(key)) into = *found;
    } else {
      if (const auto* const found = get<Value>(key)) into = *found;
    }
  }

  // Passes the key's text to `parse` and copies the value that it returns, if the file has the key. `parse` returns a
  // result; the text of its error becomes the refusal.
  template <class Value, class Parse>
  void read(std::string_view key, Value& into, Parse parse) const {
    if (const auto* const found = text(key)) {
      const auto parsed = parse(*found);
      if (!parsed) refuse(key, parsed.error().text);
      into = *parsed;
    }
  }

  // Throw error_exception. The line is the key's, or the table's when the file does not have the key.
  [[noreturn]] void refuse(std::string_view key, std::string_view what) const;
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  const value* find(std::string_view key) const;
  [[noreturn]] void misread(std::string_view key) const;

  template <class Value>
  const Value* get(std::string_view key) const {
    const value* const found = find(key);
    if (found == nullptr) return nullptr;
    const auto* const content = std::get_if<Value>(&found->content);
    if (content == nullptr) misread(key);
    return content;
  }

  const table* declared_;
  std::string file_;
  std::uint32_t line_;
  std::map<std::string, value, std::less<>> values_;
};

// All tables of one file. Asking for a table that the schema does not declare is a bug and ends the process.
class document {
 public:
  document(schema known, std::string_view file) : known_(known), file_(file) {}

  // Adds a section without values. The reference is valid until the next call.
  section& add(const table& declared, std::uint32_t line);

  // Returns the table [name], without values when the file does not have it.
  section one(std::string_view name) const;
  // Returns the tables [[name]] in the file's order.
  const std::vector<section>& all(std::string_view name) const;

  // Throws error_exception for a mistake that concerns the file as a whole.
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  schema known_;
  std::string file_;
  std::map<std::string, std::vector<section>, std::less<>> sections_;
};

}  // namespace tidegate::settings
