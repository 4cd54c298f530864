// Bytes from messages, made fit for JSON and for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::tool {

// Well-formed in the sense of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes);

std::string to_base64(std::string_view bytes);

// For one line on a terminal: control characters become \n, \t, \xNN, so that a message cannot steer the terminal;
// what is not UTF-8 becomes its size and base64.
std::string to_line(std::string_view bytes);

}  // namespace tidegate::tool
