// Committed offsets: the position of each consumer group in each partition, in memory as in the store.
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

  // Errors: the group's name, the metadata's size, or too many committed offsets.
  result<void> check(stream_id partition, std::string_view group, std::string_view metadata) const;
  // Whether the store needs more room for the new offset than for the one it replaces.
  bool grows(stream_id partition, std::string_view group, std::string_view metadata) const;
  // Takes effect at once; `into` commits it.
  void commit(stream_id partition, std::string_view group, const store::cursor_state& state, store::commit_group& into);
  const store::cursor_state* find(stream_id partition, std::string_view group) const;
  // Call when the partition is deleted: its committed offsets go with it.
  void forget(stream_id partition);

  struct place {
    std::string_view group;
    offset_t offset = 0;
  };
  // Returns the slowest group that a protected name stands for: `name` itself or `name/...`. None = none of them has
  // committed an offset there.
  std::optional<place> slowest(stream_id partition, std::string_view name) const;
  // Returns the lowest offset that any group has committed there, at most `end`.
  offset_t lowest(stream_id partition, offset_t end) const;
  // Calls `take` for each group of the partition after `after`, in the order of names, until it returns false.
  void each(stream_id partition, std::string_view after, const std::function<bool(place)>& take) const;

 private:
  std::map<std::string, store::cursor_state> states_;  // by the fact's name: partition, then group
};

}  // namespace tidegate::core::groups
