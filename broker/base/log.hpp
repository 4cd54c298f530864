// One line for each happening, to standard error: name the object and the cause once, where it is dealt with.
//
//   2026-01-01T00:00:00.000Z warning what happened to whom
//
// A program that must not wait for whoever reads its standard error keeps a log::writer (log_writer.hpp). Without one
// a line is written at once, by the caller.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>

namespace tidegate::log {

enum class level { debug, info, warning, error };

// Lines below it are dropped. Set once by main; info unless told.
void set_level(level lowest);
// Any thread.
void write(level level, std::string_view line);
// Writes a line as it is, without time and level: a program's last one, which says why it ends. Any thread.
void say(std::string_view line);
// Waits until all lines are written, limits::log_flush_time at most. Any thread.
void flush();

// Appends the line with its time, level and end to `out`. Allocates nothing where `out` has the room.
void append_line(std::string& out, std::chrono::milliseconds wall, level level, std::string_view line, bool coloured);
// Whether the descriptor is a terminal that shows colours.
bool is_coloured(int descriptor);
// Writes all of it, waiting where the other end makes it wait. Returns how many of the bytes were written: fewer where
// the descriptor is closed, its reader is gone or its disk is full.
std::size_t write_all(int descriptor, std::string_view bytes);

template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  write(level::debug, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(level::info, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  write(level::warning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  write(level::error, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace tidegate::log
