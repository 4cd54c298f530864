// Keeps the log short while one event repeats: the first line is written at once, repeats are counted, and the count is
// written after limits::log_fold_time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/clock.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/log.hpp"

namespace tidegate::log {

// A line and how often it was repeated. `text` is valid until the next call.
struct repeats {
  log::level level;
  std::string_view text;
  std::uint64_t times = 0;
  milliseconds within{0};
};

// Remembers lines and counts their repeats. A line repeats another if level and text are the same, except for the port
// of an address: a peer that connects again has a different port each time. Remembers limits::log_lines_remembered
// lines. One thread at a time.
class folding {
 public:
  // Returns true if the line has to be written now, and false if it repeats a remembered one and was counted. If every
  // remembered line has repeats, other lines are written and not remembered.
  bool admit(level level, std::string_view text, milliseconds now);
  // Returns and resets the next count that is due, or none. Call until it returns none. Does not allocate.
  std::optional<repeats> take_due(milliseconds now);
  // Returns the next count that is not zero, due or not, or none, and forgets its line. For the log's end.
  std::optional<repeats> take_rest(milliseconds now);

 private:
  struct remembered {
    bool is_used = false;
    log::level level{};
    std::string text;
    milliseconds since{0};
    std::uint64_t times = 0;
  };
  remembered* place_for_another();

  std::array<remembered, limits::log_lines_remembered> lines_;
};

}  // namespace tidegate::log
