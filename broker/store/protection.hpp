// Whom a name in `protect` means: the group of that name and all groups `name/...`, as a bridge commits for each route
// (`<bridge>/<route>`).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "broker/model/ids.hpp"

namespace tidegate::store {

// The lowest offset that a group of the name has committed; none: no group of the name has committed any.
//
// `committed`: an ordered map by group name, each behind `prefix` (which may be empty). `offset_of` takes the offset
// out of a value.
template <class Committed, class OffsetOf>
std::optional<offset_t> lowest_committed(const Committed& committed, std::string_view prefix, std::string_view name,
                                         const OffsetOf& offset_of) {
  std::string key(prefix);
  key.append(name);
  std::optional<offset_t> lowest;
  const auto take = [&](const auto& found) {
    const offset_t offset = offset_of(found->second);
    lowest = std::min(lowest.value_or(offset), offset);
  };
  if (const auto exact = committed.find(key); exact != committed.end()) take(exact);
  key.push_back('/');
  for (auto at = committed.lower_bound(key); at != committed.end() && at->first.starts_with(key); ++at) take(at);
  return lowest;
}

}  // namespace tidegate::store
