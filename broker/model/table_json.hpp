// Field tables and properties as JSON text, for listings and for people.
#pragma once

#include <string>
#include <string_view>

#include "broker/model/properties.hpp"

namespace tidegate {

// Returns a table that decodes as a JSON object. Texts and bytes that are not UTF-8 become {"base64": "..."}, times
// {"timestamp": seconds}, numbers that JSON does not have null.
std::string to_json(std::string_view table);

// Returns the properties that are set as a JSON object; headers are a table in it.
std::string to_json(const properties& properties);

// Returns bytes in base64 (RFC 4648).
std::string to_base64(std::string_view bytes);

}  // namespace tidegate
