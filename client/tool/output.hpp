// Where the tool's words go.
#pragma once

#include <boost/json.hpp>
#include <string_view>

namespace tidegate::tool {

// Writes to standard output and flushes, so that a reader at the other end of a pipe sees whole lines at once. Throws
// when it cannot be written: nothing may be acknowledged that nobody got.
void print(std::string_view text);
void print_line(std::string_view line);
void print_json(const boost::json::value& value);
// A remark to standard error, with the tool's name before it.
void remark(std::string_view line);
// Text to standard error as it is. What cannot be written there is lost: there is nobody to tell.
void print_aside(std::string_view text);

}  // namespace tidegate::tool
