// Declares what a program's configuration file may say: every key with its kind, bounds, default and meaning. A program
// has one schema, in constant tables. Reading, error texts, the reference in docs/configuration.md and the checks of
// the example files follow it.
//
// A new key needs a row in the program's known_settings.cpp, a line in the code that reads the values
// (broker/main/configuration.cpp, bridge/config.cpp), a line in the example file, and the output of --print-settings in
// docs/configuration.md. Tests fail when one of the last two is missing.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace tidegate::settings {

enum class kind {
  text,          // in quotes
  word,          // one of key::words, in quotes
  boolean,       // true or false
  number,        // a whole number
  size,          // bytes: a whole number, or "512K", "64M", "2G"
  duration,      // "50ms", "10s", "2m", "12h", "7d"
  milliseconds,  // a duration, or a whole number of milliseconds
  text_list,     // ["a", "b"]
  text_table,    // { "a" = "x", "b" = "y" }
};

struct key {
  std::string_view name;
  kind takes = kind::text;
  std::string_view standard = {};  // the default as the file writes it; empty: the key has none
  std::string_view meaning = {};   // one line for people
  // Bounds of a number, of a size in bytes, of a duration in milliseconds, or of the length of a list or table.
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();  // lowered to what the kind can hold
  bool or_zero = false;                                            // 0 is allowed, too, below `least`
  bool required = false;
  bool secret = false;  // its value is left out of error texts
  std::array<std::string_view, 4> words = {};
};

struct table {
  std::string_view name;
  bool repeats = false;  // written [[name]], any number of times; otherwise [name], once at most
  std::string_view meaning = {};
  std::span<const key> keys = {};
};

// All tables of a program. They are constants and outlive every document that was read by them.
using schema = std::span<const table>;

// Return null for a name that is not declared.
const table* find(schema known, std::string_view name);
const key* find(const table& in, std::string_view name);

// Returns "[store]" or "[[queue]]".
std::string heading(const table& of);

// Returns what the key takes, for the reference: "bytes from 64M to 2G, or 0", "stop or set-aside".
std::string kind_of(const key& of);
// Returns the same for an error text, with the forms that a value may have.
std::string taken_by(const key& of);

// Returns whether the kind can hold the number and the key's bounds allow it.
bool allows(const key& by, std::uint64_t number);

}  // namespace tidegate::settings
