// Consumer groups: the offset that each has committed in each partition.
#pragma once

#include <optional>
#include <string_view>

#include "broker/core/catalog/catalog.hpp"

namespace tidegate::core::api {

using catalog::topic_name;

class grouping {
 public:
  // `linger`: how long a commit may wait for other work.
  grouping(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, groups::offsets& offsets,
           milliseconds linger)
      : store_(store), catalog_(catalog), commits_(commits), offsets_(offsets), linger_(linger) {}

  // Errors of both: no such topic or partition; the name is another topic's by now. Of commit_offset: the group's name
  // or the metadata; too many groups; the store is full, above the mark for publishes.
  result<void> commit_offset(std::string_view group, const topic_name& topic, std::uint32_t partition, offset_t offset,
                             std::string_view metadata, const receipt& answer);
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
