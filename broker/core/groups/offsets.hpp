// Committed offsets: the position of each consumer group in each partition. Kept in memory, and written to the store
// with the commits.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::groups {

class offsets {
 public:
  explicit offsets(const store::contents& found);

  // Checks a commit of an offset. Errors: the group's name is invalid; the metadata is too long; too many committed
  // offsets.
  result<void> check(stream_id partition, std::string_view group, std::string_view metadata) const;
  // Returns whether the store needs more room for this offset than for the one it replaces.
  bool grows(stream_id partition, std::string_view group, std::string_view metadata) const;
  // Sets the offset, in memory at once and on flash with the commit of `into`.
  void commit(stream_id partition, std::string_view group, const store::cursor_state& state, store::commit_group& into);
  // Returns null if the group has committed no offset in the partition.
  const store::cursor_state* find(stream_id partition, std::string_view group) const;
  // Removes all committed offsets of a deleted partition. Their rows go with the partition's stream.
  void forget(stream_id partition);

  struct place {
    std::string_view group;
    offset_t offset = 0;
  };
  // Returns the slowest group that a protected name stands for: `name` itself or `name/...`. None if no such group has
  // committed an offset in the partition.
  std::optional<place> slowest(stream_id partition, std::string_view name) const;
  // Returns the lowest offset that any group has committed in the partition, `end` at most.
  offset_t lowest(stream_id partition, offset_t end) const;
  // Calls `take` for each group of the partition in order of name, from the first name after `after`, until `take`
  // returns false. Empty `after` = all groups.
  void each(stream_id partition, std::string_view after, const std::function<bool(place)>& take) const;

 private:
  std::map<std::string, store::cursor_state> states_;  // by store::cursor_key(): partition, then group
};

}  // namespace tidegate::core::groups
