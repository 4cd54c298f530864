// Makes bytes from messages safe to show in JSON and on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::tool {

// Returns the bytes as one line for a terminal. Control characters become \n, \t, \xNN, so that a message cannot
// control the terminal. Bytes that are not UTF-8 become their size and base64.
std::string to_line(std::string_view bytes);

}  // namespace tidegate::tool
