#include "broker/base/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "broker/base/clock.hpp"
#include "broker/base/log_writer.hpp"

namespace tidegate::log {
namespace {

std::atomic<level> lowest_written = level::info;

struct style {
  std::string_view name;
  std::string_view colour;
};

style style_of(level level) {
  switch (level) {
    case level::debug: return {"debug", "\x1b[36m"};
    case level::info: return {"info", "\x1b[32m"};
    case level::warning: return {"warning", "\x1b[33m\x1b[1m"};
    case level::error: return {"error", "\x1b[31m\x1b[1m"};
  }
  return {};
}

}  // namespace

void set_level(level lowest) { lowest_written = lowest; }

void write(level level, std::string_view line) {
  if (level < lowest_written) return;
  if (writer* const active = writer::active()) return active->put(level, line);
  static const system_clock time;
  std::string text;
  append_line(text, time.wall(), level, line, is_coloured(STDERR_FILENO));
  write_all(STDERR_FILENO, text);
}

void say(std::string_view line) {
  if (writer* const active = writer::active()) return active->put_plain(line);
  write_all(STDERR_FILENO, fmt::format("{}\n", line));
}

void flush() {
  if (writer* const active = writer::active()) active->flush();
}

void append_line(std::string& out, milliseconds wall, level level, std::string_view line, bool coloured) {
  const std::chrono::sys_time<milliseconds> time(wall);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss of_day(time - day);
  const auto [name, colour] = style_of(level);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {}{:<7}{} {}\n",
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                 of_day.hours().count(), of_day.minutes().count(), of_day.seconds().count(),
                 of_day.subseconds().count(), coloured ? colour : "", name, coloured ? "\x1b[m" : "", line);
}

bool is_coloured(int descriptor) {
  const char* const terminal = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

std::size_t write_all(int descriptor, std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t size = ::write(descriptor, bytes.data() + written, bytes.size() - written);
    if (size > 0) {
      written += static_cast<std::size_t>(size);
    } else if (size < 0 && errno == EAGAIN) {
      // A process that shares the other end made it non-blocking.
      pollfd waiting{descriptor, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (size == 0 || errno != EINTR) {
      break;
    }
  }
  return written;
}

}  // namespace tidegate::log
