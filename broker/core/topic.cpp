#include "broker/core/topic.hpp"

#include "broker/core/partitioner.hpp"

namespace tidegate::core {

topic::topic(topic_definition definition) { replace(std::move(definition)); }

// Partitions are only ever added.
void topic::replace(topic_definition definition) {
  definition_ = std::move(definition);
  while (partitions_.size() < definition_.partitions.size()) {
    const stream_id stream = definition_.partitions[partitions_.size()];
    partitions_.emplace_back().stream = stream;
  }
}

partition& topic::choose(std::string_view key, std::uint64_t group) {
  return partitions_[(key.empty() ? group : murmur2(key)) % partitions_.size()];
}

partition* topic::find(std::uint32_t number) { return number < partitions_.size() ? &partitions_[number] : nullptr; }

}  // namespace tidegate::core
