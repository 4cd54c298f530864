// The reference of a program's configuration file, in Markdown: what docs/configuration.md holds.
#pragma once

#include <string>

#include "broker/base/settings/schema.hpp"

namespace tidegate::settings {

// Returns for each table a heading, its meaning, and a row of key, what it takes, default and meaning for each key.
std::string reference(schema known);

}  // namespace tidegate::settings
