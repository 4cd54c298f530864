// The groups that a topic keeps its records for: those that read it, and those that `protect` names.
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

  // Returns, in words, the protected group that the partition keeps its records for; empty = none.
  std::string kept_for(const topics::partition& partition) const;
  // Returns the names that the topic protects and no group has. Until a group commits an offset, such a name protects
  // every record.
  std::vector<std::string> unmatched(const topics::topic& topic) const;
  // Warns of each such name: of one topic, or of the first few topics.
  void warn(const topics::topic& topic) const;
  void warn(const topic_registry& topics) const;
  // Adds a loss record of what groups had not read yet of a partition that is about to be deleted.
  void lose_unread(const topics::partition& partition, store::commit_group& group) const;

 private:
  offset_t unread_from(const topics::partition& partition) const;

  const store::store& store_;
  const groups::offsets& offsets_;
};

}  // namespace tidegate::core::catalog
