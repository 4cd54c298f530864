#include "broker/core/topics/topic.hpp"

#include <fmt/format.h>

#include "broker/base/limits.hpp"
#include "broker/core/topics/partitioner.hpp"

namespace tidegate::core::topics {

topic::topic(topic_definition definition) { replace(std::move(definition)); }

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

// Numbers count at their longest, and streams at seven digits (three bytes each), so the result depends on the names
// and the number of partitions alone.
result<void> check_definition_size(std::string_view name, const std::vector<std::string>& protect,
                                   std::size_t partitions) {
  constexpr std::uint64_t longest = ~std::uint64_t{0};
  topic_definition made{std::string(name), std::string(36, '0'), longest, limits::retention_age_max, {}, longest};
  made.partitions.assign(partitions, stream_id{(1 << 21) - 1});
  made.overflow = overflow::reject;
  made.protect = protect;
  made.durability = durability::every(limits::durability_interval_max);
  const std::size_t bytes = encode(made).size();
  if (bytes <= limits::definition_bytes) return {};
  return error{
      errc::limit,
      fmt::format("the definition of topic '{}' takes {} bytes, and the limit is {}: fewer partitions, or fewer "
                  "or shorter names in protect",
                  name, bytes, limits::definition_bytes),
      "protect"};
}

}  // namespace tidegate::core::topics
