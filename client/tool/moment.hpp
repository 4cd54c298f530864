// A position in a log to start at, and parsers for the sizes and times that people write.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"

namespace tidegate::tool {

// A position in a partition: an offset or, if that is not set, a time that the broker looks up.
struct moment {
  std::optional<offset_t> offset;
  std::int64_t timestamp_ms = 0;  // client::timestamp_start and timestamp_end included
};

// Parses "start", "end", an offset, "-10m" (s, m, h, d before `now`), or ISO 8601: "2024-05-01", "2024-05-01T12:00",
// "2024-05-01T12:00:00.5+02:00". Without a zone the time is UTC.
result<moment> parse_moment(std::string_view text, std::chrono::system_clock::time_point now);

// Parses "500ms", "90s", "10m", "2h", "7d".
result<std::chrono::milliseconds> parse_duration(std::string_view text);

// Parses "1000", "64K", "10M", "2G", with powers of 1024.
result<std::uint64_t> parse_bytes(std::string_view text);

// Returns a text like "2024-05-01T12:00:00.500Z".
std::string to_iso_time(std::int64_t timestamp_ms);

}  // namespace tidegate::tool
