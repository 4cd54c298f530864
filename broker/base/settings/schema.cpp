#include "broker/base/settings/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "broker/base/settings/units.hpp"

namespace tidegate::settings {
namespace {

constexpr std::uint64_t shown_as_power_min = 1ull << 40;

template <class Named>
const Named* find_named(std::span<const Named> all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &Named::name);
  return found == all.end() ? nullptr : &*found;
}

std::uint64_t most_of(kind takes) {
  switch (takes) {
    case kind::size: return size_max;
    case kind::duration:
    case kind::milliseconds: return static_cast<std::uint64_t>(duration_max.count());
    default: return std::numeric_limits<std::int64_t>::max();
  }
}

std::uint64_t most_of(const key& of) { return std::min(of.most, most_of(of.takes)); }

std::string written(kind unit, std::uint64_t number) {
  if (unit == kind::size) return write_size(number);
  if (unit == kind::duration || unit == kind::milliseconds) {
    return write_duration(milliseconds(static_cast<std::int64_t>(number)));
  }
  return number >= shown_as_power_min && std::has_single_bit(number) ? fmt::format("2^{}", std::countr_zero(number))
                                                                     : std::to_string(number);
}

std::string range(const key& of) {
  const bool is_open = of.most >= most_of(of.takes);
  std::string text;
  if (!is_open) {
    text = fmt::format(" from {} to {}", written(of.takes, of.least), written(of.takes, of.most));
  } else if (of.least > 0) {
    text = fmt::format(" of {} or more", written(of.takes, of.least));
  }
  return of.or_zero ? text + ", or 0" : text;
}

std::string at_most(const key& of) {
  return of.most >= most_of(of.takes) ? "" : fmt::format(" of at most {}", of.most);
}

std::string words(const key& of) {
  const auto count = static_cast<std::size_t>(std::ranges::count_if(of.words, [](auto word) { return !word.empty(); }));
  std::string text;
  for (std::size_t at = 0; at < count; ++at) {
    text += fmt::format("{}{}", at == 0 ? "" : at + 1 < count ? ", " : " or ", of.words[at]);
  }
  return text;
}

}  // namespace

const table* find(schema known, std::string_view name) { return find_named(known, name); }
const key* find(const table& in, std::string_view name) { return find_named(in.keys, name); }

std::string heading(const table& of) {
  return of.repeats ? fmt::format("[[{}]]", of.name) : fmt::format("[{}]", of.name);
}

std::string kind_of(const key& of) {
  switch (of.takes) {
    case kind::text: return "text";
    case kind::word: return words(of);
    case kind::boolean: return "true or false";
    case kind::number: return "whole number" + range(of);
    case kind::size: return "bytes" + range(of);
    case kind::duration:
    case kind::milliseconds: return "time" + range(of);
    case kind::text_list: return "list of texts" + at_most(of);
    case kind::text_table: return "table of texts" + at_most(of);
  }
  return "";
}

std::string taken_by(const key& of) {
  const std::string what = kind_of(of);
  switch (of.takes) {
    case kind::text: return "a text in quotes";
    case kind::word: return what + ", in quotes";
    case kind::boolean: return what;
    case kind::number: return "a " + what;
    case kind::size: return what + R"(, as a number or like "512K", "64M", "2G")";
    case kind::duration: return "a " + what + R"(, like "50ms", "10s", "2m", "12h", "7d")";
    case kind::milliseconds: return "a " + what + R"(, like "50ms", "2s", or as a number of milliseconds)";
    case kind::text_list: return "a " + what + R"(, like ["one", "two"])";
    case kind::text_table: return "a " + what + R"(, like { "a key" = "a text" })";
  }
  return "";
}

bool allows(const key& by, std::uint64_t number) {
  if (by.or_zero && number == 0) return true;
  return number >= by.least && number <= most_of(by);
}

}  // namespace tidegate::settings
