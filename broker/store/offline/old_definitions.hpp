// Reads definitions in the JSON of formats 2 to 4, for the import of archives of those formats.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::store::offline {

// Returns the catalog row of this format for an old one. The key says of which kind it is. Throws storage_failure if
// none of those formats wrote it.
std::string definition_from_json(std::string_view key, std::string_view json);

}  // namespace tidegate::store::offline
