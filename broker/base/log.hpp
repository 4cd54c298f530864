// Log lines to standard error, one for each event. A line names the object and the cause once, where the event is
// handled.
//
//   2026-01-01T00:00:00.000Z warning what happened to whom
//
// A program that must not wait for the reader of its standard error makes a log::writer (log_writer.hpp). Without one,
// the caller writes the line at once.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>

namespace tidegate::log {

enum class level { debug, info, warning, error };

// Lines below this level are dropped. Set once by main; the default is info.
void set_level(level lowest);
// May be called on any thread.
void write(level level, std::string_view line);
// Writes a line without time and level, whatever the lowest level: a program's last line, which says why it ends. Any
// thread.
void say(std::string_view line);
// Waits until the log::writer has written or dropped all lines, at most limits::log_flush_time. Does nothing without a
// writer. Any thread.
void flush();

// Appends the line with time, level and line end to `out`. Does not allocate if `out` has room.
void append_line(std::string& out, std::chrono::milliseconds wall, level level, std::string_view line, bool coloured);
// Whether the descriptor is a terminal that shows colours.
bool is_coloured(int descriptor);
// Writes all bytes, and blocks if the other end does not read. Returns how many were written: fewer if the descriptor
// is closed, its reader is gone or its disk is full.
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
