// One line a happening, to standard error: name the object and the cause once, where it is dealt with.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace tidegate::log {

enum class level { debug, info, warning, error };

// Lines below it are dropped. Set once by main; info unless told.
void set_level(level lowest);
void write(level level, std::string_view line);

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
