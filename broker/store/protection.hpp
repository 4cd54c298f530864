// Finds the groups that a name in a log's `protect` means: the group of that name, and all groups `name/...`. A bridge
// commits offsets for each of its routes, as group `<bridge>/<route>`.
#pragma once

#include <string>
#include <string_view>

namespace tidegate::store {

// Returns the entry with the lowest offset among the groups that a protected name means; the map's end if none of them
// has committed an offset.
//
// `committed` is an ordered map. Its keys are `prefix`, which may be empty, followed by a group's name. `offset_of`
// returns the offset of a value.
template <class Committed, class OffsetOf>
typename Committed::const_iterator slowest_group(const Committed& committed, std::string_view prefix,
                                                 std::string_view name, const OffsetOf& offset_of) {
  std::string key(prefix);
  key.append(name);
  auto slowest = committed.find(key);
  key.push_back('/');
  for (auto at = committed.lower_bound(key); at != committed.end() && at->first.starts_with(key); ++at) {
    if (slowest == committed.end() || offset_of(at->second) < offset_of(slowest->second)) slowest = at;
  }
  return slowest;
}

}  // namespace tidegate::store
