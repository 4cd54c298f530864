// The rule that chooses a record's destination partition. The configuration names the rule; it is never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::bridge {

enum class partitioner {
  source,   // the number of the source partition
  murmur2,  // by key, as Java's, franz-go's and kafka-python's clients do
  crc32,    // by key, as librdkafka's clients do
};

std::optional<partitioner> parse_partitioner(std::string_view name);

// Returns the destination partition. Records without a key are placed by source partition, so that a record always goes
// to the same destination partition. With partitioner::source the result is not bounded by `partitions`.
std::int32_t choose_partition(partitioner rule, std::string_view key, std::uint32_t source_partition,
                              std::int32_t partitions);

}  // namespace tidegate::bridge
