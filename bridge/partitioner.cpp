#include "bridge/partitioner.hpp"

#include <librdkafka/rdkafka.h>

#include "broker/base/error.hpp"

namespace tidegate::bridge {

std::optional<partitioner> parse_partitioner(std::string_view name) {
  if (name == "source") return partitioner::source;
  if (name == "murmur2") return partitioner::murmur2;
  if (name == "crc32") return partitioner::crc32;
  return std::nullopt;
}

std::int32_t choose_partition(partitioner rule, std::string_view key, std::uint32_t source_partition,
                              std::int32_t partitions) {
  TIDEGATE_EXPECT(partitions > 0);
  if (rule == partitioner::source) return static_cast<std::int32_t>(source_partition);
  if (key.empty()) return static_cast<std::int32_t>(source_partition % static_cast<std::uint32_t>(partitions));
  // librdkafka's own functions; they use neither the topic nor the opaque pointers.
  const auto by_key =
      rule == partitioner::murmur2 ? rd_kafka_msg_partitioner_murmur2 : rd_kafka_msg_partitioner_consistent;
  return by_key(nullptr, key.data(), key.size(), partitions, nullptr, nullptr);
}

}  // namespace tidegate::bridge
