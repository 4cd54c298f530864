// The command line of `tidegate`: its commands and options, their help texts and checks.
#pragma once

#include <variant>

#include "client/tool/arguments.hpp"

namespace tidegate::tool {

// Parses the command line. Returns the arguments, or the exit code if help, the version or a usage error was printed.
std::variant<arguments, int> parse_command_line(int count, const char* const* words);

}  // namespace tidegate::tool
