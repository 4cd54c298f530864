// Definitions as the catalogs of formats 2 to 4 had them, in JSON: for archives of those.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::store::offline {

// The catalog row of today for one of theirs, by its key. Throws storage_failure on what none of them wrote.
std::string definition_from_json(std::string_view key, std::string_view json);

}  // namespace tidegate::store::offline
