// For whom a topic keeps its records: the groups that read it, and those that `protect` names.
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

  // Returns in words which protected group the partition keeps what it holds for; empty: for none.
  std::string kept_for(const topics::partition& partition) const;
  // Returns the names that the topic protects and no group carries: until one commits an offset, what they protect is
  // everything.
  std::vector<std::string> unmatched(const topics::topic& topic) const;
  // Writes a warning for each of them: of one topic, or of the first few.
  void warn(const topics::topic& topic) const;
  void warn(const topic_registry& topics) const;
  // Puts a loss record of what groups had still to read of the partition, which is about to be deleted, into `group`.
  void lose_unread(const topics::partition& partition, store::commit_group& group) const;

 private:
  offset_t unread_from(const topics::partition& partition) const;

  const store::store& store_;
  const groups::offsets& offsets_;
};

}  // namespace tidegate::core::catalog
