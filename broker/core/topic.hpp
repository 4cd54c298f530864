// A topic: its partitions, each a stream of the store.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/events.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::core {

struct partition {
  stream_id stream{};
  offset_t next = 0;                     // to append
  std::int64_t newest_timestamp_ms = 0;  // of what was appended: timestamps never go back
  std::set<session_id> watchers;
};

class topic {
 public:
  explicit topic(topic_definition definition);

  const topic_definition& definition() const { return definition_; }
  void replace(topic_definition definition);
  // Keyed messages by murmur2; the others of one group stay together, so that they make one batch.
  partition& choose(std::string_view key, std::uint64_t group);
  partition* find(std::uint32_t number);
  std::deque<partition>& partitions() { return partitions_; }
  const std::deque<partition>& partitions() const { return partitions_; }

 private:
  topic_definition definition_;
  std::deque<partition> partitions_;  // they stay where they are when more are added
};

}  // namespace tidegate::core
