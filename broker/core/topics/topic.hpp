// A topic: its partitions, each a stream of the store.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "broker/model/definitions.hpp"

namespace tidegate::core::topics {

// Bytes that were appended to a partition and are not in its stream's view yet: in the open group and in the one with
// the writer.
class bytes_on_their_way {
 public:
  void add(std::uint64_t group, std::uint64_t bytes) {
    roll(group);
    open_ += bytes;
  }
  std::uint64_t sum(std::uint64_t group) const {
    if (group == group_) return open_ + flying_;
    return group == group_ + 1 ? open_ : 0;
  }

 private:
  void roll(std::uint64_t group) {
    if (group == group_) return;
    flying_ = group == group_ + 1 ? open_ : 0;
    open_ = 0;
    group_ = group;
  }
  std::uint64_t group_ = 0, open_ = 0, flying_ = 0;
};

class topic;

struct partition {
  stream_id stream{};
  const topic* owner = nullptr;
  std::uint32_t number = 0;              // within its topic
  offset_t next = 0;                     // the next offset to append
  std::int64_t newest_timestamp_ms = 0;  // of the stamps that were given; they go back only when the clock is corrected
  bytes_on_their_way on_their_way;
};

class topic {
 public:
  explicit topic(topic_definition definition);
  topic(const topic&) = delete;  // its partitions refer to it
  topic& operator=(const topic&) = delete;

  const topic_definition& definition() const { return definition_; }
  void replace(topic_definition definition);
  // Chooses by murmur2 for messages with a key. The others of one group stay together, so that they make one batch.
  partition& choose(std::string_view key, std::uint64_t group);
  bool is_in_memory() const { return definition_.durability.is_memory(); }
  bool rejects() const { return definition_.overflow == overflow::reject; }
  partition* find(std::uint32_t number);
  std::deque<partition>& partitions() { return partitions_; }
  const std::deque<partition>& partitions() const { return partitions_; }

 private:
  topic_definition definition_;
  std::deque<partition> partitions_;  // a deque: addresses stay when partitions are added
};

// Error: the topic's definition would exceed the length of a row.
result<void> check_definition_size(std::string_view name, const std::vector<std::string>& protect,
                                   std::size_t partitions);

}  // namespace tidegate::core::topics
