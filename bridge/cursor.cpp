#include "bridge/cursor.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace tidegate::bridge {
namespace {

constexpr std::string_view version = "2", version_without_topic = "1";

// Separates the broker's incarnation from the count of times that its store was set back.
constexpr char life_mark = '+';

error malformed(std::string_view what) { return {errc::invalid, fmt::format("cursor metadata: {}", what), "metadata"}; }

std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view word = rest.substr(0, at);
  rest.remove_prefix(at == rest.npos ? rest.size() : at + 1);
  return word;
}

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<destination> parse_destination(std::string_view text) {
  const auto partition = parse<std::int32_t>(take_until(text, ':'));
  const auto offset = parse<std::int64_t>(text);
  if (!partition || !offset || *partition < 0 || *offset < 0) return std::nullopt;
  return destination{*partition, *offset};
}

}  // namespace

std::string encode_metadata(const cursor& cursor) {
  std::string text = fmt::format("{} {} {} {} ", version, cursor.incarnation, cursor.topic_id, cursor.sent_before);
  for (std::size_t i = 0; i < cursor.look_from.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{}{}:{}", i == 0 ? "" : ",", cursor.look_from[i].partition,
                   cursor.look_from[i].offset);
  }
  return text;
}

result<cursor> decode_cursor(offset_t offset, std::string_view metadata) {
  cursor read;
  read.offset = offset;
  const std::string_view written = take_until(metadata, ' ');
  if (written != version && written != version_without_topic) return malformed("not of version 1 or 2");
  read.incarnation = take_until(metadata, ' ');
  if (read.incarnation.empty()) return malformed("no incarnation");
  if (written == version) {
    read.topic_id = take_until(metadata, ' ');
    if (read.topic_id.empty()) return malformed("no topic id");
  }
  const auto sent_before = parse<offset_t>(take_until(metadata, ' '));
  if (!sent_before || *sent_before < offset) return malformed("its range does not follow its offset");
  read.sent_before = *sent_before;
  while (!metadata.empty()) {
    const auto where = parse_destination(take_until(metadata, ','));
    if (!where) return malformed("a destination is not `partition:offset`");
    read.look_from.push_back(*where);
  }
  return read;
}

bool is_same_store(std::string_view sent_as, std::string_view incarnation) {
  return sent_as.starts_with(incarnation) &&
         (sent_as.size() == incarnation.size() || sent_as[incarnation.size()] == life_mark);
}

std::string next_life(const std::string& incarnation, std::string_view sent_as) {
  std::uint32_t lives = 0;
  if (sent_as.size() > incarnation.size()) {
    std::from_chars(sent_as.data() + incarnation.size() + 1, sent_as.data() + sent_as.size(), lives);
  }
  return fmt::format("{}{}{}", incarnation, life_mark, lives + 1);
}

}  // namespace tidegate::bridge
