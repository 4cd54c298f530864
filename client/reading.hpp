// Appends to and reads the log: topics by partition and offset. A `topic_id` (as in fetch_request) makes the broker
// refuse the call if the topic was deleted and declared again: an offset means nothing in the new one.
#pragma once

#include <optional>
#include <string_view>

#include "client/connection_part.hpp"

namespace tidegate::client {

class reading : connection_part {
 public:
  using connection_part::connection_part;

  // Appends a batch made with batch_builder. Returns its base offset.
  awaitable<offset_t> produce(std::string_view topic, std::uint32_t partition, std::string_view batch);
  awaitable<fetched> fetch(const fetch_request& request);
  // Returns the first offset whose timestamp is not older; timestamp_start and timestamp_end name the log's ends.
  awaitable<listed_offset> list_offset(std::string_view topic, std::uint32_t partition, std::int64_t timestamp_ms,
                                       std::string_view topic_id = {});
  awaitable<> commit_offset(std::string_view group, std::string_view topic, std::uint32_t partition, offset_t offset,
                            std::string_view metadata = {}, std::string_view topic_id = {});
  // Returns none if the group has committed no offset there.
  awaitable<std::optional<committed_offset>> fetch_offset(std::string_view group, std::string_view topic,
                                                          std::uint32_t partition, std::string_view topic_id = {});
};

}  // namespace tidegate::client
