#include <fmt/format.h>

#include <charconv>

#include "client/values.hpp"

namespace tidegate::client {
namespace {

error malformed(std::string_view text) {
  return {errc::invalid, fmt::format("'{}' is not an address: write HOST, HOST:PORT or [IPv6]:PORT", text), "broker"};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

result<endpoint> parse_endpoint(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t host_end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (host_end == std::string_view::npos) return malformed(text);
  endpoint parsed{.host = std::string(text.substr(bracketed, host_end - bracketed))};
  const std::string_view rest = text.substr(host_end + bracketed);
  if (parsed.host.empty()) return malformed(text);
  if (rest.empty()) return parsed;
  const auto port = rest.starts_with(':') ? parse_port(rest.substr(1)) : std::nullopt;
  if (!port) return malformed(text);
  parsed.port = *port;
  return parsed;
}

}  // namespace tidegate::client
