// A name in `protect` stands for the group of that name and for all groups `name/...`, as a bridge commits for each of
// its routes (`<bridge>/<route>`).
#pragma once

#include <string>
#include <string_view>

namespace tidegate::store {

// Returns the entry with the lowest offset among the groups that a protected name stands for; the map's end where none
// of them has committed an offset.
//
// `committed` is an ordered map whose keys are `prefix` (which may be empty) and a group's name. `offset_of` returns
// the offset of a value.
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
