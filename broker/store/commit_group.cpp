#include "broker/store/commit_group.hpp"

#include <algorithm>

#include "broker/store/blob.hpp"

namespace tidegate::store {
namespace {

// Bytes of one operation in the journal, besides the bytes that it carries.
constexpr std::size_t entry_overhead = 32;
// A stream's records are cut into batches that fit a row, in the journal and in the chunk table, so that a reader never
// decodes much to reach an offset.
constexpr std::size_t batch_bytes_max = row_bytes - blob_overhead_bytes_max;

}  // namespace

std::size_t stream_share::append_bytes() const {
  std::size_t sum = open.empty() ? 0 : open.size();
  for (const std::string& batch : batches) sum += batch.size();
  return sum;
}

offset_t stream_share::end() const {
  return (open.empty() ? read_batch(batches.back()).value().last_offset : open.last_offset()) + 1;
}

stream_share& commit_group::share_of(stream_id stream) {
  if (last_share_ < contents_.shares.size() && contents_.shares[last_share_].stream == stream)
    return contents_.shares[last_share_];
  const auto [found, is_new] = share_index_.try_emplace(stream, contents_.shares.size());
  if (is_new) contents_.shares.emplace_back().stream = stream;
  last_share_ = found->second;
  return contents_.shares[last_share_];
}

const stream_share* commit_group::find_appends(stream_id stream) const {
  const auto found = share_index_.find(stream);
  const bool appends = found != share_index_.end() && contents_.shares[found->second].appends();
  return appends ? &contents_.shares[found->second] : nullptr;
}

void commit_group::count(std::size_t bytes) {
  bytes_ += bytes + entry_overhead;
  ++operations_;
}

void commit_group::append(stream_id stream, offset_t offset, std::int64_t timestamp_ms, const message_view& message,
                          record_form form) {
  stream_share& share = share_of(stream);
  if (form == record_form::queue) share.appended_bytes += message.body.size();
  const bool fits = share.open.empty() || share.open.size() + record_size_bound(message) <= batch_bytes_max;
  if (!fits) share.batches.push_back(share.open.finish());
  const std::size_t before = share.open.empty() ? 0 : share.open.size();
  share.open.add(offset, timestamp_ms, message, form);
  count(share.open.size() - before);
}

void commit_group::append_batch(stream_id stream, std::string batch) {
  stream_share& share = share_of(stream);
  if (!share.open.empty()) share.batches.push_back(share.open.finish());
  count(batch.size());
  share.batches.push_back(std::move(batch));
}

void commit_group::add(std::vector<offset_range>& ranges, offset_range range) {
  ++operations_;
  if (!ranges.empty() && ranges.back().end == range.begin) {
    ranges.back().end = range.end;
    return;
  }
  ranges.push_back(range);
  bytes_ += entry_overhead;
}

void commit_group::ack(stream_id stream, offset_range range, std::uint64_t bytes) {
  stream_share& share = share_of(stream);
  share.acked_bytes += bytes;
  add(share.acked, range);
}

void commit_group::ack_tied(stream_id stream, offset_range range, std::uint64_t bytes) {
  stream_share& share = share_of(stream);
  share.tied_bytes += bytes;
  add(share.tied, range);
}

void commit_group::repack(chunk_repack repack) {
  count(0);
  contents_.repacks.push_back(std::move(repack));
}

void commit_group::count_delivery(stream_id stream, offset_t offset, std::uint32_t deliveries) {
  share_of(stream).deliveries.emplace_back(offset, deliveries);
  count(0);
}

void commit_group::trim(stream_id stream, offset_t log_start) {
  auto& trim_to = share_of(stream).trim_to;
  trim_to = std::max(trim_to.value_or(0), log_start);
  count(0);
}

void commit_group::set_cursor(stream_id stream, std::string_view group, cursor_state state) {
  count(group.size() + state.metadata.size());
  contents_.cursors.push_back({stream, std::string(group), std::move(state)});
}

void commit_group::set_producer(std::string_view producer, const producer_state& state) {
  contents_.producers[std::string(producer)] = state;
  count(producer.size());
}

void commit_group::erase_producer(std::string_view producer) {
  contents_.producers[std::string(producer)] = std::nullopt;
  count(producer.size());
}

void commit_group::put_definition(std::string key, std::string value) {
  count(key.size() + value.size());
  contents_.definitions.push_back({std::move(key), std::move(value)});
}

void commit_group::erase_definition(std::string key) {
  count(key.size());
  contents_.definitions.push_back({std::move(key), std::nullopt});
}

void commit_group::change_fact(fact_change change) {
  count(change.name.size() + change.value.value_or("").size());
  contents_.facts.push_back(std::move(change));
}

void commit_group::change_stream(stream_change change) {
  contents_.stream_changes.push_back(std::move(change));
  count(0);
}

void commit_group::lose(loss_record record, bool is_tied) {
  count(record.source.size());
  contents_.losses.push_back({std::move(record), is_tied});
}

bool commit_group::appends() const {
  return std::any_of(contents_.shares.begin(), contents_.shares.end(),
                     [](const stream_share& share) { return share.appends(); });
}

void commit_group::drop_appends() {
  contents_.has_dropped_appends = contents_.has_dropped_appends || appends();
  for (stream_share& share : contents_.shares) {
    share.batches.clear();
    share.open = {};
    share.tied.clear();
    share.appended_bytes = share.tied_bytes = 0;
  }
  std::erase_if(contents_.producers, [](const auto& producer) { return producer.second.has_value(); });
  std::erase_if(contents_.facts, [](const fact_change& fact) { return fact.is_tied; });
  std::erase_if(contents_.losses, [](const loss_change& loss) { return loss.is_tied; });
}

}  // namespace tidegate::store
