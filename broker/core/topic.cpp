#include "broker/core/topic.hpp"

#include "broker/core/partitioner.hpp"

namespace tidegate::core {

topic::topic(topic_definition definition) { replace(std::move(definition)); }

// Partitions are only ever added.
void topic::replace(topic_definition definition) {
  definition_ = std::move(definition);
  while (partitions_.size() < definition_.partitions.size()) {
    const auto number = static_cast<std::uint32_t>(partitions_.size());
    partition& added = partitions_.emplace_back();
    added.stream = definition_.partitions[number];
    added.owner = this;
    added.number = number;
  }
}

partition& topic::choose(std::string_view key, std::uint64_t group) {
  return partitions_[(key.empty() ? group : murmur2(key)) % partitions_.size()];
}

partition* topic::find(std::uint32_t number) { return number < partitions_.size() ? &partitions_[number] : nullptr; }

}  // namespace tidegate::core
