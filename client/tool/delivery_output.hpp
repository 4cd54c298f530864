// Prints deliveries of a queue, for the commands that take messages from one.
#pragma once

#include <string_view>

#include "client/values.hpp"

namespace tidegate::tool {

// Prints one line: the body alone, a JSON object, or the message as people read it.
void show(const client::delivery& delivery, std::string_view queue, bool is_raw, bool as_json);

}  // namespace tidegate::tool
