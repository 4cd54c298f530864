// The command line of `tidegate`: its words, its help, its rules.
#pragma once

#include <variant>

#include "client/tool/arguments.hpp"

namespace tidegate::tool {

// What to do, or the exit code when help, the version or a usage error has been printed.
std::variant<arguments, int> parse_command_line(int count, const char* const* words);

}  // namespace tidegate::tool
