// Reads a configuration file's text. Refuses text that would exhaust the parser's stack or that the parser would report
// with an unclear error.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"

namespace tidegate::settings {

// Returns the bytes of a file or a pipe. Errors name the file: it cannot be opened or read, is a directory, or has more
// than limits::configuration_bytes. Does not read on beyond that bound.
result<std::string> read_file(const std::filesystem::path& file);

// Refuses, with the line: a byte order mark, a zero byte, more than limits::configuration_bytes, and a key of more than
// limits::configuration_key_parts parts, because the parser recurses once for each part. `file` names the text.
result<void> check_text(std::string_view text, std::string_view file);

}  // namespace tidegate::settings
