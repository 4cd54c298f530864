#include "broker/base/settings/reader.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <optional>

#include "broker/base/settings/file.hpp"
#include "broker/base/settings/nearest.hpp"

namespace tidegate::settings {
namespace {

using content = decltype(value::content);

constexpr std::size_t shown_bytes_max = 60;
constexpr std::size_t description_bytes_max = 300;

// Shortens a text of the file for an error text of one line. Cuts between UTF-8 characters. Replaces control
// characters, because they could move a terminal's cursor.
std::string shown(std::string_view text, std::size_t bytes_max = shown_bytes_max) {
  std::size_t length = std::min(text.size(), bytes_max);
  while (length > 0 && length < text.size() && (text[length] & 0xC0) == 0x80) --length;
  std::string line(text.substr(0, length));
  std::ranges::replace_if(
      line, [](unsigned char byte) { return byte < 0x20 || byte == 0x7F; }, '?');
  return length < text.size() ? line + "..." : line;
}

std::string found(const toml::node& node) {
  if (const auto* const text = node.as_string()) return fmt::format("\"{}\"", shown(text->get()));
  if (const auto* const number = node.as_integer()) return std::to_string(number->get());
  if (const auto* const number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* const truth = node.as_boolean()) return truth->get() ? "true" : "false";
  if (const auto* const list = node.as_array()) return fmt::format("a list of {}", list->size());
  return node.is_table() ? "a table" : "a date or a time";
}

std::string kind_found(const toml::node& node) {
  if (node.is_string()) return "another text";
  return node.is_number() ? "a number" : node.is_boolean() ? "true or false" : found(node);
}

std::uint32_t line_of(const toml::node& node) { return node.source().begin.line; }

std::optional<std::uint64_t> number_in(const toml::node& node) {
  const auto* const number = node.as_integer();
  if (number == nullptr || number->get() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(number->get());
}

// Returns the number that a node means for the kind: a plain number, bytes, or milliseconds. None = the node does not
// fit the kind.
std::optional<std::uint64_t> quantity_in(const toml::node& node, kind takes) {
  if (const auto* const text = node.as_string()) {
    if (takes == kind::size) return parse_size(text->get());
    if (takes == kind::number) return std::nullopt;
    const auto time = parse_duration(text->get());
    return time ? std::optional(static_cast<std::uint64_t>(time->count())) : std::nullopt;
  }
  return takes == kind::duration ? std::nullopt : number_in(node);
}

std::optional<content> quantity(const key& by, const toml::node& node) {
  const auto number = quantity_in(node, by.takes);
  if (!number || !allows(by, *number)) return std::nullopt;
  if (by.takes == kind::number || by.takes == kind::size) return content(*number);
  return content(milliseconds(static_cast<std::int64_t>(*number)));
}

std::optional<content> text(const key& by, const toml::node& node) {
  const auto* const text = node.as_string();
  if (text == nullptr) return std::nullopt;
  if (by.takes == kind::word && (text->get().empty() || std::ranges::find(by.words, text->get()) == by.words.end())) {
    return std::nullopt;
  }
  return content(text->get());
}

// Walks the file's tables by the schema. Puts values into a document and collects mistakes, because the first one in
// the file is reported and the parser's tables are in another order.
class checker {
 public:
  checker(std::string_view file, schema known) : file_(file), known_(known), read_(known, file) {}

  result<document> check(const toml::table& root) {
    for (const auto& [name, node] : root) check_top(name.str(), node);
    if (mistakes_.empty()) return std::move(read_);
    return std::ranges::min_element(mistakes_, {}, &mistake::line)->what;
  }

 private:
  struct mistake {
    std::uint32_t line;
    error what;
  };

  void refuse(std::uint32_t line, std::string key, std::string_view what) {
    mistakes_.push_back({line, refusal(file_, line, std::move(key), what)});
  }

  void refuse_unknown(std::uint32_t line, std::string path, std::string_view what) {
    error refused = refusal(file_, line, "", what);
    refused.field = std::move(path);
    mistakes_.push_back({line, std::move(refused)});
  }

  void check_top(std::string_view name, const toml::node& node) {
    const table* const declared = find(known_, name);
    if (declared == nullptr) return unknown_table(name, node);
    if (declared->repeats) return check_list(*declared, node);
    const auto* const written = node.as_table();
    if (written == nullptr) return not_a_table(*declared, node);
    check_table(*declared, *written);
  }

  void not_a_table(const table& declared, const toml::node& node) {
    refuse(line_of(node), std::string(declared.name),
           fmt::format("is a {}: write {}; found {}", declared.repeats ? "list of tables" : "table", heading(declared),
                       kind_found(node)));
  }

  void check_list(const table& declared, const toml::node& node) {
    const auto* const list = node.as_array();
    if (list == nullptr) return not_a_table(declared, node);
    for (const toml::node& item : *list) {
      const auto* const written = item.as_table();
      if (written == nullptr) return not_a_table(declared, item);
      check_table(declared, *written);
    }
  }

  void check_table(const table& declared, const toml::table& written) {
    section& into = read_.add(declared, line_of(written));
    for (const auto& [name, node] : written) {
      const key* const by = find(declared, name.str());
      if (by == nullptr) {
        unknown_key(declared, name);
      } else if (auto taken = take(declared, *by, node)) {
        into.put(by->name, {line_of(node), std::move(*taken)});
      }
    }
    for (const key& each : declared.keys) {
      if (each.required && !written.contains(each.name)) {
        refuse(line_of(written), path(declared, each), "is missing");
      }
    }
  }

  static std::string path(const table& declared, const key& by) { return fmt::format("{}.{}", declared.name, by.name); }

  std::optional<content> take(const table& declared, const key& by, const toml::node& node) {
    if (by.takes == kind::text_list) return take_list(declared, by, node);
    if (by.takes == kind::text_table) return take_table(declared, by, node);
    auto taken = by.takes == kind::text || by.takes == kind::word ? text(by, node)
                 : by.takes == kind::boolean                      ? truth(node)
                                                                  : quantity(by, node);
    if (!taken) wrong(path(declared, by), by, node);
    return taken;
  }

  static std::optional<content> truth(const toml::node& node) {
    const auto* const truth = node.as_boolean();
    return truth == nullptr ? std::nullopt : std::optional(content(truth->get()));
  }

  std::optional<content> take_list(const table& declared, const key& by, const toml::node& node) {
    const auto* const list = node.as_array();
    if (list == nullptr || !allows(by, list->size())) return wrong(path(declared, by), by, node);
    std::vector<std::string> texts;
    for (const toml::node& item : *list) {
      const auto* const text = item.as_string();
      if (text == nullptr) return wrong(path(declared, by), by, item);
      texts.push_back(text->get());
    }
    return std::optional<content>(std::in_place, std::move(texts));
  }

  std::optional<content> take_table(const table& declared, const key& by, const toml::node& node) {
    const auto* const written = node.as_table();
    if (written == nullptr || !allows(by, written->size())) return wrong(path(declared, by), by, node);
    text_table texts;
    for (const auto& [name, item] : *written) {
      const std::string place = fmt::format("{}.{}", path(declared, by), shown(name.str()));
      if (item.is_table()) {
        refuse(line_of(item), place, "is a table: write a key with dots in quotes, like \"a.b\" = \"c\"");
        return std::nullopt;
      }
      const auto* const text = item.as_string();
      if (text == nullptr) return wrong(place, {.name = by.name, .secret = by.secret}, item);
      texts.emplace(name.str(), text->get());
    }
    return std::optional<content>(std::in_place, std::move(texts));
  }

  std::nullopt_t wrong(std::string place, const key& by, const toml::node& node) {
    refuse(line_of(node), std::move(place),
           fmt::format("takes {}; found {}", taken_by(by), by.secret ? kind_found(node) : found(node)));
    return std::nullopt;
  }

  void unknown_key(const table& declared, const toml::key& name) {
    std::vector<std::string_view> names;
    for (const key& each : declared.keys) names.push_back(each.name);
    const std::string_view meant = nearest(name.str(), names);
    refuse_unknown(name.source().begin.line, fmt::format("{}.{}", declared.name, shown(name.str())),
                   fmt::format("unknown key '{}' in {}: {}", shown(name.str()), heading(declared),
                               meant.empty() ? fmt::format("it takes {}", fmt::join(names, ", "))
                                             : fmt::format("did you mean '{}'?", meant)));
  }

  void unknown_table(std::string_view name, const toml::node& node) {
    std::vector<std::string_view> names;
    std::vector<std::string> headings;
    for (const table& each : known_) {
      names.push_back(each.name);
      headings.push_back(heading(each));
    }
    const table* const meant = find(known_, nearest(name, names));
    const std::string what = node.is_table()             ? fmt::format("table [{}]", shown(name))
                             : node.is_array_of_tables() ? fmt::format("table [[{}]]", shown(name))
                                                         : fmt::format("key '{}' before the first table", shown(name));
    refuse_unknown(line_of(node), shown(name),
                   fmt::format("unknown {}: {}", what,
                               meant == nullptr ? fmt::format("the file takes {}", fmt::join(headings, ", "))
                                                : fmt::format("did you mean {}?", heading(*meant))));
  }

  std::string_view file_;
  schema known_;
  document read_;
  std::vector<mistake> mistakes_;
};

}  // namespace

result<document> parse(std::string_view text, std::string_view file, schema known) {
  if (const auto checked = check_text(text, file); !checked) return checked.error();
  try {
    return checker(file, known).check(toml::parse(text, file));
  } catch (const toml::parse_error& failure) {
    return refusal(file, failure.source().begin.line, "", shown(failure.description(), description_bytes_max));
  }
}

result<document> read(const std::filesystem::path& file, schema known) {
  const auto text = read_file(file);
  if (!text) return text.error();
  return parse(*text, file.string(), known);
}

}  // namespace tidegate::settings
