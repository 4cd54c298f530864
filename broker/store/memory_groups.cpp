#include "broker/store/memory_groups.hpp"

#include "broker/base/bytes.hpp"

namespace tidegate::store {

void memory_groups::add_found(const books& books, const contents& contents) {
  for (const auto& [id, ledger] : books.streams) {
    if (ledger.in_memory) streams_.add(id, ledger.kind, {}, ledger.next, ledger.next, ledger.dropped);
  }
  contents.each(fact_space::committed_offset, [&](std::string_view name, std::string_view value) {
    const auto stream = static_cast<stream_id>(load_be<std::uint32_t>(name.data()));
    streams_.apply(cursor_change{stream, std::string(name.substr(sizeof stream)), decode_cursor(value)});
  });
}

bool memory_groups::is_free(stream_id stream, offset_t end) const {
  const bool waits =
      riding_->find_appends(stream) != nullptr || (flying_ != nullptr && flying_->find_appends(stream) != nullptr);
  return !waits && streams_.is_reserved(stream, end);
}

std::uint64_t memory_groups::bytes_on_their_way(stream_id stream) const {
  std::uint64_t bytes = 0;
  for (const commit_group* const group : {memory_group_.get(), riding_.get(), flying_.get()}) {
    const stream_share* const share = group == nullptr ? nullptr : group->find_appends(stream);
    if (share != nullptr) bytes += memory_stream::cost_of(*share);
  }
  return bytes;
}

void memory_groups::reserve(const commit_group& group, commit_group& open) {
  for (stream_change& row : streams_.reservations_for(group)) open.change_stream(std::move(row));
}

std::vector<stream_update> memory_groups::apply_memory(commit_group& open) {
  reserve(*memory_group_, open);
  return streams_.apply(*std::exchange(memory_group_, std::make_unique<commit_group>()));
}

std::vector<stream_update> memory_groups::apply_riding() {
  return streams_.apply(*std::exchange(riding_, std::make_unique<commit_group>()));
}

void memory_groups::depart_with(commit_group& open) {
  riding_->contents().time = open.contents().time;
  flying_ = std::exchange(riding_, std::make_unique<commit_group>());
  for (stream_change& change : open.contents().stream_changes) {
    const bool is_new = change.change == stream_change::what::create && change.in_memory;
    if (!is_new && streams_.find(change.stream) == nullptr) continue;
    const stream_share* const first = flying_->find_appends(change.stream);
    if (is_new) change.reserved_end = offsets_per_reservation + (first != nullptr ? first->end() : 0);
    flying_changes_.push_back(change);
  }
  for (const cursor_change& change : open.contents().cursors) {
    if (streams_.find(change.stream) != nullptr) flying_cursors_.push_back(change);
  }
}

void memory_groups::arrive_with(commit_result& result) {
  for (const stream_change& change : std::exchange(flying_changes_, {})) streams_.apply(change);
  for (const cursor_change& change : std::exchange(flying_cursors_, {})) streams_.apply(change);
  if (!result.appends_stored) flying_->drop_appends();
  for (stream_update& update : streams_.apply(*flying_)) result.streams.push_back(std::move(update));
  flying_.reset();
}

}  // namespace tidegate::store
