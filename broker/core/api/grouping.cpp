#include "broker/core/api/grouping.hpp"

#include "broker/core/commits/refusals.hpp"

namespace tidegate::core::api {

result<void> grouping::commit_offset(std::string_view group, const topic_name& topic, std::uint32_t number,
                                     offset_t offset, std::string_view metadata, const receipt& answer) {
  const auto partition = catalog_.topics().find(topic, number);
  if (!partition) return partition.error();
  const stream_id stream = (*partition)->stream;
  if (const auto checked = offsets_.check(stream, group, metadata); !checked) return checked;
  // Committed offsets are still accepted when publishes are refused, so that consumers can work off the records that
  // fill the store.
  const bool is_full = store_.pages().used_share() > store::store_none_above;
  if (is_full && offsets_.grows(stream, group, metadata)) return commits::store_full_error(store_);
  offsets_.commit(stream, group, {offset, std::string(metadata)}, commits_.gathering());
  commits_.answer_later(answer, false);
  commits_.note(linger_);
  return {};
}

result<std::optional<store::cursor_state>> grouping::committed(std::string_view group, const topic_name& topic,
                                                               std::uint32_t number) const {
  const auto partition = catalog_.topics().find(topic, number);
  if (!partition) return partition.error();
  const store::cursor_state* const found = offsets_.find((*partition)->stream, group);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

}  // namespace tidegate::core::api
