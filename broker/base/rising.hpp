// Search in lines of items whose keys rise, as ids and numbers of a connection do.
#pragma once

#include <algorithm>

namespace tidegate {

// Returns the first item whose key is not less than `key`, or end(). Keys are mostly without gaps, so the position that
// the item has without gaps is tried first.
template <class Line, class Item, class Key>
auto lower_bound_in_rising(Line& line, Key Item::*key_of, Key key) {
  if (line.empty() || key <= line.front().*key_of) return line.begin();
  const auto guess = key - line.front().*key_of;
  if (guess < line.size() && line[guess].*key_of == key) return line.begin() + static_cast<std::ptrdiff_t>(guess);
  return std::lower_bound(line.begin(), line.end(), key,
                          [key_of](const auto& item, const Key& wanted) { return item.*key_of < wanted; });
}

}  // namespace tidegate
