#include "broker/base/log_folding.hpp"

#include <utility>

namespace tidegate::log {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Returns whether the digits at `at` are the port of an address. A port follows a colon, and no colon follows it that
// belongs to the address itself (in fe80::17:7420 the port is 7420, not 17).
bool is_port(std::string_view text, std::size_t at) {
  if (at == 0 || text[at - 1] != ':') return false;
  while (at < text.size() && is_digit(text[at])) ++at;
  return at == text.size() || text[at] == ' ' || text.substr(at).starts_with(": ");
}

bool is_repeat(std::string_view a, std::string_view b) {
  std::size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    const bool both_ports = is_digit(a[i]) && is_digit(b[k]) && is_port(a, i) && is_port(b, k);
    if (both_ports) {
      while (i < a.size() && is_digit(a[i])) ++i;
      while (k < b.size() && is_digit(b[k])) ++k;
    } else if (a[i++] != b[k++]) {
      return false;
    }
  }
  return i == a.size() && k == b.size();
}

}  // namespace

bool folding::admit(level level, std::string_view text, milliseconds now) {
  for (remembered& line : lines_) {
    if (!line.is_used || line.level != level || !is_repeat(line.text, text)) continue;
    if (line.times == 0 && now - line.since >= limits::log_fold_time) {
      line.since = now;  // long ago: counts as a first one again
      return true;
    }
    ++line.times;
    return false;
  }
  if (remembered* const place = place_for_another()) {
    place->is_used = true;
    place->level = level;
    place->text = text;
    place->since = now;
  }
  return true;
}

// Returns an unused place, else that of the oldest line without repeats, else null.
folding::remembered* folding::place_for_another() {
  remembered* oldest = nullptr;
  for (remembered& line : lines_) {
    if (!line.is_used) return &line;
    if (line.times == 0 && (oldest == nullptr || line.since < oldest->since)) oldest = &line;
  }
  return oldest;
}

std::optional<repeats> folding::take_due(milliseconds now) {
  for (remembered& line : lines_) {
    if (line.times == 0 || now - line.since < limits::log_fold_time) continue;
    const repeats found{line.level, line.text, line.times, now - line.since};
    // Still remembered: a repeat is not written as a first line again.
    line.times = 0;
    line.since = now;
    return found;
  }
  return std::nullopt;
}

std::optional<repeats> folding::take_rest(milliseconds now) {
  for (remembered& line : lines_) {
    if (line.times == 0) continue;
    line.is_used = false;
    return repeats{line.level, line.text, std::exchange(line.times, 0), now - line.since};
  }
  return std::nullopt;
}

}  // namespace tidegate::log
