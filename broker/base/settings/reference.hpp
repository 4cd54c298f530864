// The reference of a program's configuration file, in Markdown, as it is in docs/configuration.md.
#pragma once

#include <string>

#include "broker/base/settings/schema.hpp"

namespace tidegate::settings {

// Returns for each table a heading, its meaning, and one row for each key: the key, what it takes, default and meaning.
std::string reference(schema known);

}  // namespace tidegate::settings
