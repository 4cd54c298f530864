// The headers that state a record's origin. A consumer at the centre uses them to drop duplicates: it remembers the
// highest offset seen of each (gateway, incarnation, topic id, partition). The bridge uses them to find the records
// that it has sent before.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/sink.hpp"

namespace tidegate::bridge {

constexpr std::string_view header_gateway = "tg-gateway";
constexpr std::string_view header_incarnation = "tg-incarnation";
constexpr std::string_view header_topic = "tg-topic";
constexpr std::string_view header_topic_id = "tg-topic-id";
constexpr std::string_view header_partition = "tg-partition";
constexpr std::string_view header_offset = "tg-offset";

struct provenance {
  identity source;
  std::string topic;
  std::uint32_t partition = 0;
  offset_t offset = 0;
};

// Calls `add(name, value)` for each header. The value is valid only during the call.
template <class Add>
void write_provenance(const provenance& from, Add add) {
  add(header_gateway, std::string_view(from.source.gateway));
  add(header_incarnation, std::string_view(from.source.incarnation));
  add(header_topic, std::string_view(from.topic));
  add(header_topic_id, std::string_view(from.source.topic_id));
  add(header_partition, std::string_view(std::to_string(from.partition)));
  add(header_offset, std::string_view(std::to_string(from.offset)));
}

// Returns none if a header is missing, or if the partition or the offset is not a number. A missing topic id is read as
// empty: bridges from before topics had ids did not send one.
std::optional<provenance> read_provenance(const std::vector<header>& headers);

}  // namespace tidegate::bridge
