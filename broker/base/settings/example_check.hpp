// Checks the example file of a program against its schema. Only tests include this header.
#pragma once

#include <fmt/format.h>

#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "broker/base/settings/schema.hpp"

namespace tidegate::settings {

// Returns a sentence for each mistake of an example: a key that it does not show, a key that it shows with another
// default, and a key that the schema does not know. A key counts as shown when it is commented out, too. Its value ends
// before a blank and a comment. A key without a default may show any value.
inline std::vector<std::string> not_shown(schema known, std::string_view example) {
  static const std::regex heading_line(R"((?:# )?(\[\[?[a-z_]+\]?\])(?: .*)?)");
  static const std::regex key_line(R"((?:# )?([a-z_]+) = (.*?)(?:\s+#.*)?)");
  std::vector<std::string> wrong;
  std::set<std::string> shown;
  const table* in = nullptr;
  std::stringstream lines{std::string(example)};
  std::smatch parts;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, parts, heading_line)) {
      for (const table& each : known) {
        if (heading(each) == parts.str(1)) in = &each;
      }
    } else if (in != nullptr && std::regex_match(line, parts, key_line)) {
      const std::string name = fmt::format("{} {}", heading(*in), parts.str(1));
      const key* const declared = find(*in, parts.str(1));
      if (declared == nullptr) {
        wrong.push_back(name + " is not known");
      } else if (!declared->standard.empty() && declared->standard != parts.str(2)) {
        wrong.push_back(fmt::format("{} = {}: its default is {}", name, parts.str(2), declared->standard));
      }
      shown.insert(name);
    }
  }
  for (const table& each : known) {
    for (const key& declared : each.keys) {
      const std::string name = fmt::format("{} {}", heading(each), declared.name);
      if (!shown.contains(name)) wrong.push_back(name + " is not shown");
    }
  }
  return wrong;
}

}  // namespace tidegate::settings
