// The destination partition of a record: a rule named in the configuration, never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidegate::bridge {

enum class partitioner {
  source,   // the number of the source partition
  murmur2,  // by key as Java's, franz-go's and kafka-python's clients do
  crc32,    // by key as librdkafka's clients do
};

std::optional<partitioner> parse_partitioner(std::string_view name);

// Records without a key stay together by source partition, so that a record always goes to the same partition.
std::int32_t choose_partition(partitioner rule, std::string_view key, std::uint32_t source_partition,
                              std::int32_t partitions);

}  // namespace tidegate::bridge
