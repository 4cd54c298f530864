// The command line of `tidegate`: words, help, rules.
#pragma once

#include <variant>

#include "client/tool/arguments.hpp"

namespace tidegate::tool {

// Returns the command's arguments, or the exit code if help, the version or a usage error was printed.
std::variant<arguments, int> parse_command_line(int count, const char* const* words);

}  // namespace tidegate::tool
