#include "broker/model/durability.hpp"

#include <fmt/format.h>

#include <charconv>

#include "broker/base/limits.hpp"

namespace tidegate {
namespace {

constexpr std::string_view commit_word = "commit";
constexpr std::string_view interval_word = "interval:";

}  // namespace

std::string to_text(durability durability) {
  if (durability.interval.count() == 0) return std::string(commit_word);
  return fmt::format("{}{}", interval_word, durability.interval.count());
}

result<durability> parse_durability(std::string_view text) {
  if (text == commit_word) return durability{};
  if (text == "memory") {
    return error{errc::unsupported,
                 "durability 'memory' does not exist: every message is written before it is confirmed; take \"commit\" "
                 "or \"interval:<ms>\"",
                 "durability"};
  }
  std::int64_t number = 0;
  const std::string_view digits =
      text.starts_with(interval_word) ? text.substr(interval_word.size()) : std::string_view();
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = !digits.empty() && parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
  const std::chrono::milliseconds most = limits::durability_interval_max;
  if (whole && number >= 1 && number <= most.count()) return durability{std::chrono::milliseconds(number)};
  return error{errc::invalid,
               fmt::format("durability '{}': it takes \"commit\", or \"interval:<ms>\" with 1 to {} milliseconds",
                           text.substr(0, 64), most.count()),
               "durability"};
}

}  // namespace tidegate
