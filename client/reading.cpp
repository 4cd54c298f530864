#include "client/reading.hpp"

#include "client/open_session.hpp"
#include "client/requests.hpp"

namespace tidegate::client {

awaitable<offset_t> reading::produce(std::string_view topic, std::uint32_t partition, std::string_view batch) {
  return requests::produce(now(), {topic, partition}, batch);
}

awaitable<fetched> reading::fetch(const fetch_request& request) { return requests::fetch(now(), request); }

awaitable<listed_offset> reading::list_offset(std::string_view topic, std::uint32_t partition,
                                              std::int64_t timestamp_ms, std::string_view topic_id) {
  return requests::list_offset(now(), {topic, partition, topic_id}, timestamp_ms);
}

awaitable<> reading::commit_offset(std::string_view group, std::string_view topic, std::uint32_t partition,
                                   offset_t offset, std::string_view metadata, std::string_view topic_id) {
  return requests::commit_offset(now(), group, {topic, partition, topic_id}, offset, metadata);
}

awaitable<std::optional<committed_offset>> reading::fetch_offset(std::string_view group, std::string_view topic,
                                                                 std::uint32_t partition, std::string_view topic_id) {
  return requests::fetch_offset(now(), group, {topic, partition, topic_id});
}

}  // namespace tidegate::client
