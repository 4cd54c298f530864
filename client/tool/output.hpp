// Output of the tool.
#pragma once

#include <boost/json.hpp>
#include <string_view>

namespace tidegate::tool {

// Writes to standard output and flushes, so that a reader at the other end of a pipe gets whole lines at once. Throws
// if it cannot be written: a message that nobody got must not be acknowledged.
void print(std::string_view text);
void print_line(std::string_view line);
void print_json(const boost::json::value& value);
// Writes a remark to standard error, with the tool's name before it.
void remark(std::string_view line);
// Writes text to standard error as it is. Text that cannot be written there is lost.
void print_aside(std::string_view text);

}  // namespace tidegate::tool
