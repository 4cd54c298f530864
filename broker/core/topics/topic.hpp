// A topic: its partitions, each a stream of the store.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "broker/model/definitions.hpp"

namespace tidegate::core::topics {

// Bytes appended to a partition that the reader does not show yet: those of the open commit group and of the one with
// the writer. `group` is the number of the open one (pipeline::group_number()).
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
  std::uint32_t number = 0;              // in its topic
  offset_t next = 0;                     // of the next append
  std::int64_t newest_timestamp_ms = 0;  // newest the broker stamped; it goes back only when the clock is corrected
  bytes_on_their_way on_their_way;
};

class topic {
 public:
  explicit topic(topic_definition definition);
  topic(const topic&) = delete;  // partitions point to their topic
  topic& operator=(const topic&) = delete;

  const topic_definition& definition() const { return definition_; }
  // Replaces the definition and adds partitions that are new in it. Partitions are never removed.
  void replace(topic_definition definition);
  // Chooses the partition of a message: by murmur2 of the key if there is one. All messages without a key in one commit
  // group go to the same partition, so that they form one batch. `group`: number of that commit group.
  partition& choose(std::string_view key, std::uint64_t group);
  bool is_in_memory() const { return definition_.durability.is_memory(); }
  bool rejects() const { return definition_.overflow == overflow::reject; }
  // Returns null if there is no partition of that number.
  partition* find(std::uint32_t number);
  std::deque<partition>& partitions() { return partitions_; }
  const std::deque<partition>& partitions() const { return partitions_; }

 private:
  topic_definition definition_;
  std::deque<partition> partitions_;  // a deque, because pointers to partitions must stay valid when more are added
};

// Checks that a topic's definition fits a row of the store. Error: it would be longer than limits::definition_bytes.
result<void> check_definition_size(std::string_view name, const std::vector<std::string>& protect,
                                   std::size_t partitions);

}  // namespace tidegate::core::topics
