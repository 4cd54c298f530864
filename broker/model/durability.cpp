#include "broker/model/durability.hpp"

#include <fmt/format.h>

#include <charconv>

#include "broker/base/limits.hpp"

namespace tidegate {
namespace {

constexpr std::string_view commit_word = "commit";
constexpr std::string_view interval_word = "interval:";
constexpr std::string_view memory_word = "memory";

}  // namespace

std::string to_text(durability durability) {
  switch (durability.how) {
    case durability::mode::commit: return std::string(commit_word);
    case durability::mode::interval: return fmt::format("{}{}", interval_word, durability.interval.count());
    case durability::mode::memory: return std::string(memory_word);
  }
  return {};
}

result<durability> parse_durability(std::string_view text) {
  if (text == commit_word) return durability{};
  if (text == memory_word) return durability::memory();
  std::int64_t number = 0;
  const std::string_view digits =
      text.starts_with(interval_word) ? text.substr(interval_word.size()) : std::string_view();
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = !digits.empty() && parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
  const std::chrono::milliseconds most = limits::durability_interval_max;
  if (whole && number >= 1 && number <= most.count()) return durability::every(std::chrono::milliseconds(number));
  return error{
      errc::invalid,
      fmt::format("durability '{}': it takes \"commit\", \"memory\", or \"interval:<ms>\" with 1 to {} milliseconds",
                  text.substr(0, 64), most.count()),
      "durability"};
}

}  // namespace tidegate
