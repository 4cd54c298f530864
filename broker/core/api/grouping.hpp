// Grouping: commits and returns the offsets of consumer groups, one for each group and partition.
#pragma once

#include <optional>
#include <string_view>

#include "broker/core/catalog/catalog.hpp"

namespace tidegate::core::api {

using catalog::topic_name;

class grouping {
 public:
  // `linger`: how long a committed offset may wait for other work before its commit starts.
  grouping(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, groups::offsets& offsets,
           milliseconds linger)
      : store_(store), catalog_(catalog), commits_(commits), offsets_(offsets), linger_(linger) {}

  // Errors of both calls: no such topic or partition; the name now belongs to another topic.

  // Sets the group's offset and settles the receipt with the commit. Errors: the group's name or the metadata is
  // invalid; too many committed offsets; the offset needs more room and the store is full beyond
  // store::store_none_above, which is above the mark for publishes.
  result<void> commit_offset(std::string_view group, const topic_name& topic, std::uint32_t partition, offset_t offset,
                             std::string_view metadata, const receipt& answer);
  // Returns the group's offset, whether its commit is done or not; none if the group has committed none.
  result<std::optional<store::cursor_state>> committed(std::string_view group, const topic_name& topic,
                                                       std::uint32_t partition) const;

 private:
  store::store& store_;
  catalog::catalog& catalog_;
  commits::pipeline& commits_;
  groups::offsets& offsets_;
  milliseconds linger_;
};

}  // namespace tidegate::core::api
