// The tool's output: results to standard output, remarks to standard error.
#pragma once

#include <boost/json.hpp>
#include <string_view>

namespace tidegate::tool {

// Writes to standard output and flushes, so that a reader at the other end of a pipe sees whole lines at once. Throws
// std::system_error if writing fails, because a message that nobody received must not be acknowledged.
void print(std::string_view text);
void print_line(std::string_view line);
void print_json(const boost::json::value& value);
// Writes a remark to standard error, with the tool's name before it.
void remark(std::string_view line);
// Writes text to standard error unchanged. Ignores a failure to write, because there is no other place to report it.
void print_aside(std::string_view text);

}  // namespace tidegate::tool
