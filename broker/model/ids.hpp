// Numbers that name streams and records.
#pragma once

#include <compare>
#include <cstdint>

namespace tidegate {

// A stream of the store: a queue, or one partition of a topic. Never reused.
enum class stream_id : std::uint32_t {};

// Position of a record in its stream, from 0, dense on append, never reused. A range of them is half open:
// [first, last + 1).
using offset_t = std::uint64_t;

struct offset_range {
  offset_t begin = 0;
  offset_t end = 0;
  bool empty() const { return begin >= end; }
  std::uint64_t size() const { return empty() ? 0 : end - begin; }
  friend auto operator<=>(const offset_range&, const offset_range&) = default;
};

}  // namespace tidegate
