#include "broker/base/settings/reference.hpp"

#include <fmt/format.h>

namespace tidegate::settings {
namespace {

// Escapes bars, because a bar would end the cell.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    if (byte == '|') escaped += '\\';
    escaped += byte;
  }
  return escaped;
}

std::string default_of(const key& of) {
  if (of.required) return "must be given";
  return of.standard.empty() ? "none" : fmt::format("`{}`", cell(of.standard));
}

}  // namespace

std::string reference(schema known) {
  std::string text;
  for (const table& table : known) {
    text += fmt::format("{}### `{}`\n\n", text.empty() ? "" : "\n", heading(table));
    if (!table.meaning.empty()) text += fmt::format("{}\n\n", table.meaning);
    text += "| key | takes | default | meaning |\n|---|---|---|---|\n";
    for (const key& key : table.keys) {
      text +=
          fmt::format("| `{}` | {} | {} | {} |\n", key.name, cell(kind_of(key)), default_of(key), cell(key.meaning));
    }
  }
  return text;
}

}  // namespace tidegate::settings
