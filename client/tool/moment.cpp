#include "client/tool/moment.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "client/values.hpp"

namespace tidegate::tool {
namespace {

using std::chrono::milliseconds;

template <class Number>
std::optional<Number> whole(std::string_view text) {
  Number number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Parses a number followed by a unit of the table. Returns none on overflow.
template <std::size_t Count>
std::optional<std::uint64_t> scaled(std::string_view text,
                                    const std::array<std::pair<std::string_view, std::uint64_t>, Count>& units) {
  for (const auto& [unit, factor] : units) {
    if (!text.ends_with(unit)) continue;
    const auto number = whole<std::uint64_t>(text.substr(0, text.size() - unit.size()));
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (number && *number <= most / factor) return *number * factor;
  }
  return std::nullopt;
}

// Removes `digits` digits from the front and returns their number; none if the text does not start with them.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  const auto number = text.size() < digits ? std::nullopt : whole<int>(text.substr(0, digits));
  if (number && *number >= 0) text.remove_prefix(digits);
  return number && *number >= 0 ? number : std::nullopt;
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::sys_days> take_date(std::string_view& text) {
  const auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

std::optional<milliseconds> take_clock(std::string_view& text) {
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute);
}

// ":SS" and ".fraction", both optional.
std::optional<milliseconds> take_seconds(std::string_view& text) {
  if (!take(text, ':')) return milliseconds(0);
  const auto second = take_number(text, 2);
  if (!second || *second > 60) return std::nullopt;
  milliseconds time = std::chrono::seconds(*second);
  if (!take(text, '.')) return time;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  for (int scale = 100; !text.empty() && text[0] >= '0' && text[0] <= '9'; scale /= 10) {
    time += milliseconds((text[0] - '0') * scale);
    text.remove_prefix(1);
  }
  return time;
}

// Returns how far the zone is ahead of UTC: 0 for no zone or Z, else +hh:mm or -hh:mm.
std::optional<milliseconds> take_zone(std::string_view& text) {
  if (text.empty() || take(text, 'Z')) return milliseconds(0);
  const bool behind = text.starts_with('-');
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto ahead = take_clock(text);
  if (!ahead) return std::nullopt;
  return behind ? -*ahead : *ahead;
}

std::optional<std::int64_t> iso_time(std::string_view text) {
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  milliseconds time = date->time_since_epoch();
  if (text.empty()) return time.count();
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock) return std::nullopt;
  const auto seconds = take_seconds(text);
  if (!seconds) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return (time + *clock + *seconds - *zone).count();
}

}  // namespace

result<moment> parse_moment(std::string_view text, std::chrono::system_clock::time_point now) {
  if (text == "start") return moment{std::nullopt, client::timestamp_start};
  if (text == "end") return moment{std::nullopt, client::timestamp_end};
  if (const auto number = whole<std::uint64_t>(text)) return moment{*number, 0};
  if (text.starts_with('-')) {
    const auto before = parse_duration(text.substr(1));
    if (!before) return before.error();
    const auto at = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()) - *before;
    return moment{std::nullopt, std::max<std::int64_t>(0, at.count())};
  }
  if (const auto time = iso_time(text); time && *time >= 0) return moment{std::nullopt, *time};
  return error{
      errc::invalid,
      fmt::format("'{}' is none of start, end, an offset, a time such as 2024-05-01T12:00:00Z, or -10m", text)};
}

result<milliseconds> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> units{
      {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  if (const auto time = scaled(text, units)) return milliseconds(static_cast<std::int64_t>(*time));
  return error{errc::invalid, fmt::format("'{}' is no duration such as 500ms, 90s, 10m, 2h or 7d", text)};
}

result<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> units{
      {{"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {"", 1}}};
  if (const auto bytes = scaled(text, units)) return *bytes;
  return error{errc::invalid, fmt::format("'{}' is no size such as 1000, 64K, 10M or 2G", text)};
}

std::string to_iso_time(std::int64_t timestamp_ms) {
  const std::chrono::sys_time<milliseconds> time{milliseconds(timestamp_ms)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace tidegate::tool
