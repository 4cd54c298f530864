#include "broker/base/settings/units.hpp"

#include <fmt/format.h>

#include <charconv>
#include <span>

namespace tidegate::settings {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

// Smallest first.
constexpr unit sizes[] = {{"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}};
constexpr unit times[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

std::optional<std::uint64_t> parse(std::string_view text, std::span<const unit> units, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc()) return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const unit& each : units) {
    if (each.name == name && number <= most / each.factor) return number * each.factor;
  }
  return std::nullopt;
}

std::string write(std::uint64_t number, std::span<const unit> units, std::string_view bare) {
  unit best{bare, 1};
  for (const unit& each : units) {
    if (number != 0 && number % each.factor == 0) best = each;
  }
  return fmt::format("{}{}", number / best.factor, best.name);
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse(text, sizes, size_max); }

std::optional<milliseconds> parse_duration(std::string_view text) {
  const auto time = parse(text, times, static_cast<std::uint64_t>(duration_max.count()));
  if (!time) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(*time));
}

std::string write_size(std::uint64_t bytes) { return write(bytes, sizes, ""); }
std::string write_duration(milliseconds time) { return write(static_cast<std::uint64_t>(time.count()), times, "ms"); }

}  // namespace tidegate::settings
