#include "broker/core/groups/offsets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/limits.hpp"
#include "broker/model/definitions.hpp"
#include "broker/store/protection.hpp"

namespace tidegate::core::groups {

offsets::offsets(const store::contents& found) {
  constexpr auto space = store::fact_space::committed_offset;
  found.each(space, [&](std::string_view name, std::string_view value) {
    states_.emplace(store::fact_name(space, name), store::decode_cursor(value));
  });
}

result<void> offsets::check(stream_id partition, std::string_view group, std::string_view metadata) const {
  if (const auto checked = check_name("group", group); !checked) return checked;
  if (metadata.size() > limits::metadata_bytes) {
    return error{errc::too_large,
                 fmt::format("metadata of {} bytes is over the limit of {}", metadata.size(), limits::metadata_bytes),
                 "metadata"};
  }
  if (find(partition, group) == nullptr && states_.size() >= limits::definitions_count) {
    return error{errc::limit, fmt::format("{} committed offsets are the limit", limits::definitions_count), "group"};
  }
  return {};
}

bool offsets::grows(stream_id partition, std::string_view group, std::string_view metadata) const {
  const store::cursor_state* const known = find(partition, group);
  return known == nullptr || known->metadata.size() < metadata.size();
}

void offsets::commit(stream_id partition, std::string_view group, const store::cursor_state& state,
                     store::commit_group& into) {
  into.set_cursor(partition, group, state);
  states_[store::cursor_key(partition, group)] = state;
}

const store::cursor_state* offsets::find(stream_id partition, std::string_view group) const {
  const auto found = states_.find(store::cursor_key(partition, group));
  return found == states_.end() ? nullptr : &found->second;
}

void offsets::forget(stream_id partition) {
  const std::string prefix = store::cursor_key(partition, "");
  for (auto at = states_.lower_bound(prefix); at != states_.end() && at->first.starts_with(prefix);) {
    at = states_.erase(at);
  }
}

std::optional<offsets::place> offsets::slowest(stream_id partition, std::string_view name) const {
  const std::string prefix = store::cursor_key(partition, "");
  const auto found =
      store::slowest_group(states_, prefix, name, [](const store::cursor_state& state) { return state.offset; });
  if (found == states_.end()) return std::nullopt;
  return place{std::string_view(found->first).substr(prefix.size()), found->second.offset};
}

offset_t offsets::lowest(stream_id partition, offset_t end) const {
  each(partition, {}, [&](place group) {
    end = std::min(end, group.offset);
    return true;
  });
  return end;
}

void offsets::each(stream_id partition, std::string_view after, const std::function<bool(place)>& take) const {
  const std::string prefix = store::cursor_key(partition, "");
  auto at = after.empty() ? states_.lower_bound(prefix) : states_.upper_bound(prefix + std::string(after));
  for (; at != states_.end() && at->first.starts_with(prefix); ++at) {
    if (!take({std::string_view(at->first).substr(prefix.size()), at->second.offset})) return;
  }
}

}  // namespace tidegate::core::groups
