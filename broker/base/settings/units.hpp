// Sizes and durations as configuration files write them: a whole number and a unit, without a space.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::settings {

using std::chrono::milliseconds;

constexpr std::uint64_t size_max = std::uint64_t{1} << 62;
constexpr milliseconds duration_max = std::chrono::hours(24) * 86'400'000;

// Reads "512K", "64M", "2G" and returns bytes. Returns none for anything else, also for a number without a unit, and
// above size_max.
std::optional<std::uint64_t> parse_size(std::string_view text);

// Reads "50ms", "10s", "2m", "12h", "7d". Returns none for anything else, and above duration_max.
std::optional<milliseconds> parse_duration(std::string_view text);

// Write with the largest unit that leaves a whole number: "64M", "1000", "10s", "0ms".
std::string write_size(std::uint64_t bytes);
std::string write_duration(milliseconds time);

}  // namespace tidegate::settings
