// Keeps the log short while one thing happens again and again: the first line is written at once, its repeats are
// counted, and the count is written when limits::log_fold_time is over.
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

// A line and how often it came again. `text` lasts until the next call.
struct repeats {
  log::level level;
  std::string_view text;
  std::uint64_t times = 0;
  milliseconds within{0};
};

// Lines repeat each other when they have the same level and text, apart from the port of an address: a peer that comes
// again has another one each time. Remembers limits::log_lines_remembered lines. One thread at a time.
class folding {
 public:
  // True: write the line now. False: it repeats a remembered one and was counted. Where every remembered line has
  // repeats, others are written and not remembered.
  bool admit(level level, std::string_view text, milliseconds now);
  // The next count that is to be written, if there is one: ask until there is none. Allocates nothing.
  std::optional<repeats> take_due(milliseconds now);
  // The same for counts that are not due yet, for the log's end.
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
