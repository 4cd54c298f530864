// Protection: answers which consumer groups a topic keeps its records for, from the committed offsets and the names in
// the topic's `protect`.
#pragma once

#include <string>
#include <vector>

#include "broker/core/catalog/topic_registry.hpp"
#include "broker/core/groups/offsets.hpp"
#include "broker/core/topics/topic.hpp"

namespace tidegate::core::catalog {

class protection {
 public:
  protection(const store::store& store, const groups::offsets& offsets) : store_(store), offsets_(offsets) {}

  // Returns a phrase for error texts that names the protected group for which the partition keeps its records. Empty if
  // the topic protects no group, or if every protected group has read all of the partition.
  std::string kept_for(const topics::partition& partition) const;
  // Returns the names in `protect` for which no group has committed an offset in the topic. Until one does, all records
  // of the topic count as unread.
  std::vector<std::string> unmatched(const topics::topic& topic) const;
  // Logs a warning for each unmatched name: of one topic, or of the first ten topics that have any.
  void warn(const topics::topic& topic) const;
  void warn(const topic_registry& topics) const;
  // Call before a partition is deleted. Adds a loss record of the records that groups had not read yet to `group`.
  // Partitions in memory are not counted.
  void lose_unread(const topics::partition& partition, store::commit_group& group) const;

 private:
  offset_t unread_from(const topics::partition& partition) const;

  const store::store& store_;
  const groups::offsets& offsets_;
};

}  // namespace tidegate::core::catalog
