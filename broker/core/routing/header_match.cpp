#include "broker/core/routing/header_match.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/model/properties.hpp"

namespace tidegate::core::routing {
namespace {

constexpr std::string_view match_name = "x-match";

bool has(const std::vector<table_field>& headers, const table_field& wanted) {
  const auto found =
      std::find_if(headers.begin(), headers.end(), [&](const table_field& one) { return one.name == wanted.name; });
  return found != headers.end() && (wanted.type == 'V' || is_same_value(*found, wanted));
}

}  // namespace

std::vector<table_field> headers_of(const message_view& message) {
  std::vector<table_field> headers;
  if (const auto properties = read_properties(message.properties); properties && properties->headers) {
    table_reader reader(*properties->headers);
    for (table_field field; reader.next(field);) headers.push_back(field);
  }
  for (const header& plain : message.headers) headers.push_back({plain.name, 'S', plain.value});
  return headers;
}

result<header_match> header_match::parse(std::string_view arguments) {
  if (const auto checked = check_table("arguments", arguments); !checked) return checked.error();
  header_match match;
  match.arguments_ = arguments;
  const auto how = find_field(arguments, match_name);
  if (!how) return match;
  const std::string_view text = how->text().value_or("");
  match.needs_all_ = text.starts_with("all");
  match.counts_x_ = text.ends_with("-with-x");
  for (const std::string_view known : {"all", "any", "all-with-x", "any-with-x"}) {
    if (text == known) return match;
  }
  return error{errc::precondition,
               fmt::format("x-match '{}' is not all, any, all-with-x or any-with-x", text.substr(0, 64)), "x-match"};
}

bool header_match::matches(const std::vector<table_field>& headers) const {
  table_reader reader(arguments_);
  for (table_field wanted; reader.next(wanted);) {
    if (wanted.name == match_name || (!counts_x_ && wanted.name.starts_with("x-"))) continue;
    if (has(headers, wanted) != needs_all_) return !needs_all_;
  }
  return needs_all_;
}

}  // namespace tidegate::core::routing
