// Reads a configuration file in TOML by a program's schema. Only this room includes the TOML library.
#pragma once

#include <filesystem>
#include <string_view>

#include "broker/base/settings/document.hpp"

namespace tidegate::settings {

// Returns the values of all keys that the text has, each of its kind and within its bounds. The error names `file`, the
// line, the key, what the key takes and what was found. Of several mistakes the first in the file is reported. Unknown
// keys and tables are mistakes, reported with the nearest known name, and so is a table without a required key.
result<document> parse(std::string_view text, std::string_view file, schema known);

// Reads the file and parses its text. Further errors: those of read_file().
result<document> read(const std::filesystem::path& file, schema known);

// Pass the values to `use` and return its result. If `use` throws error_exception, return that error.
template <class Use>
auto use_document(const result<document>& read, Use use) -> result<decltype(use(*read))> {
  if (!read) return read.error();
  try {
    return use(*read);
  } catch (const error_exception& refused) {
    return refused.cause;
  }
}
template <class Use>
auto parse(std::string_view text, std::string_view file, schema known, Use use) {
  return use_document(parse(text, file, known), use);
}
template <class Use>
auto read(const std::filesystem::path& file, schema known, Use use) {
  return use_document(read(file, known), use);
}

}  // namespace tidegate::settings
