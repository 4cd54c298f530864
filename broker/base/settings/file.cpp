#include "broker/base/settings/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "broker/base/limits.hpp"
#include "broker/base/settings/document.hpp"

namespace tidegate::settings {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view byte_order_marks[] = {"\xEF\xBB\xBF"sv, "\xFF\xFE"sv, "\xFE\xFF"sv, "\0\0\xFE\xFF"sv};

std::string too_long() {
  return fmt::format("is longer than {} bytes, which is the limit of a configuration file",
                     limits::configuration_bytes);
}

// Returns the length of the string at the text's start. A string on one line that is not closed ends with the line.
std::size_t string_length(std::string_view text) {
  const char quote = text.front();
  const std::string_view quotes = quote == '"' ? R"(""")" : "'''";
  const bool is_long = text.starts_with(quotes);
  const std::string_view end = is_long ? quotes : quotes.substr(0, 1);
  for (std::size_t at = end.size(); at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text.substr(at).starts_with(end)) {
      at += end.size();
      // Up to two quotes before the closing ones belong to a long string.
      for (int more = 0; is_long && more < 2 && text.substr(at).starts_with(quote); ++more) ++at;
      return at;
    } else if (!is_long && text[at] == '\n') {
      return at;
    }
  }
  return text.size();
}

std::size_t comment_length(std::string_view text) { return std::min(text.find('\n'), text.size()); }

// Returns the position of the dot that makes a key's parts too many, or the text's end. Counts dots outside of strings
// and comments; a blank between them, as in "a . b", does not end a key.
std::size_t too_many_parts(std::string_view text) {
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char byte = text[at];
    if (byte == '"' || byte == '\'') {
      at += string_length(text.substr(at));
      continue;
    }
    if (byte == '#') {
      at += comment_length(text.substr(at));
      continue;
    }
    if (byte == '.' && ++dots >= limits::configuration_key_parts) return at;
    if ("=,{}[]\n"sv.find(byte) != std::string_view::npos) dots = 0;
    ++at;
  }
  return text.size();
}

std::uint32_t line_of(std::string_view text, std::size_t position) {
  return static_cast<std::uint32_t>(1 + std::ranges::count(text.substr(0, position), '\n'));
}

}  // namespace

result<std::string> read_file(const std::filesystem::path& file) {
  const auto failure = [&](std::string_view why) {
    return error{errc::not_found, fmt::format("cannot read the configuration file {}: {}", file.string(), why)};
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) return failure("is a directory");
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return failure(std::strerror(errno));
  std::string text(limits::configuration_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return failure(std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > limits::configuration_bytes) {
    return error{errc::too_large, fmt::format("{}: {}", file.string(), too_long())};
  }
  return text;
}

result<void> check_text(std::string_view text, std::string_view file) {
  if (text.size() > limits::configuration_bytes) return refusal(file, 1, "", too_long());
  for (const std::string_view mark : byte_order_marks) {
    if (text.starts_with(mark)) {
      return refusal(file, 1, "", "begins with a byte order mark: save the file as UTF-8 without one");
    }
  }
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return refusal(file, line_of(text, zero), "", "holds a zero byte: it is no text in UTF-8");
  }
  if (const std::size_t dot = too_many_parts(text); dot < text.size()) {
    return refusal(file, line_of(text, dot), "",
                   fmt::format("a key has at most {} parts", limits::configuration_key_parts));
  }
  return {};
}

}  // namespace tidegate::settings
