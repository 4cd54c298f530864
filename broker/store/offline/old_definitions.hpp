// Reads definitions in the JSON of formats 2 to 4, for archives of those.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::store::offline {

// Returns today's catalog row for an old one, by its key. Throws storage_failure if none of those formats wrote it.
std::string definition_from_json(std::string_view key, std::string_view json);

}  // namespace tidegate::store::offline
