#include "broker/core/api/reading.hpp"

#include <algorithm>

#include "broker/base/log.hpp"

namespace tidegate::core::api {

// Reads only the newest rows, so that a start reads no more rows than known_damage_ may hold.
reading::reading(store::store& store, catalog::catalog& catalog, commits::pipeline& commits, notices& notices)
    : store_(store), catalog_(catalog), commits_(commits), notices_(notices) {
  const store::loss_number newest = store_.found_books().losses.newest();
  const store::loss_number before = newest - std::min<store::loss_number>(newest, limits::known_damage);
  const auto losses = store_.read().losses(before, limits::known_damage);
  if (!losses) return;
  for (const auto& [number, lost] : *losses) {
    if (lost.reason != store::loss_reason::damaged) continue;
    known_damage_.emplace(std::pair(lost.stream, lost.end), lost.first);
  }
}

result<fetched> reading::range(const topic_name& topic, std::uint32_t number) const {
  const auto partition = catalog_.topics().find(topic, number);
  if (!partition) return partition.error();
  fetched out;
  if (const auto* const stream = store_.read().find((*partition)->stream)) {
    out.log_start = stream->log_start;
    out.high_watermark = stream->end;
  }
  return out;
}

result<fetched> reading::fetch(const topic_name& topic, std::uint32_t number, offset_t offset, std::size_t bytes_max) {
  auto out = range(topic, number);
  if (!out) return out;
  if (offset < out->log_start || offset > out->high_watermark) {
    out->out_of_range = true;
    return out;
  }
  if (offset == out->high_watermark) return out;
  const stream_id stream = catalog_.topics().find(topic, number).value()->stream;
  const auto take = [&](const batch_view& batch) {
    out->more = !out->batches.empty() && out->batches.size() + batch.bytes.size() > bytes_max;
    if (!out->more) out->batches.append(batch.bytes);
    return !out->more;
  };
  const auto scanned =
      store_.read().scan(stream, offset, take, [&](offset_range damaged) { lose(topic.name, stream, damaged); });
  if (!scanned) return scanned.error();
  return out;
}

// Readers skip records that fail their CRC or are missing. The damage stays and is met by every reader, so each place
// is recorded as a loss only once.
void reading::lose(std::string_view topic, stream_id stream, offset_range damaged) {
  for (auto known = known_damage_.find({stream, damaged.end}); known != known_damage_.end();
       known = known_damage_.find({stream, damaged.end})) {
    if (damaged.begin >= known->second) return;
    damaged.end = known->second;  // an earlier reader met only the later part; the part before that is new
  }
  if (known_damage_.size() >= limits::known_damage) return;
  known_damage_.emplace(std::pair(stream, damaged.end), damaged.begin);
  store::loss_record lost{store::loss_reason::damaged, stream, {}, damaged.begin, damaged.end, damaged.size()};
  lost.unread = lost.records;
  commits_.gathering().lose(std::move(lost));
  commits_.note(commits::acknowledgement_delay_max);
  log::error("topic {}: records at offsets {} to {} are damaged and passed over", topic, damaged.begin,
             damaged.end - 1);
}

result<stream_id> reading::watch(session_id session, const topic_name& topic, std::uint32_t number) {
  TIDEGATE_EXPECT(notices_.knows(session));
  const auto partition = catalog_.topics().find(topic, number);
  if (!partition) return partition.error();
  watchers_[(*partition)->stream].insert(session);
  return (*partition)->stream;
}

result<offset_t> reading::find_time(const topic_name& topic, std::uint32_t number, std::int64_t timestamp_ms) const {
  const auto partition = catalog_.topics().find(topic, number);
  if (!partition) return partition.error();
  if (store_.read().find((*partition)->stream) == nullptr) return offset_t{0};  // declared, but not committed yet
  return store_.read().find_time((*partition)->stream, timestamp_ms);
}

std::size_t reading::watches() const {
  std::size_t all = 0;
  for (const auto& [stream, sessions] : watchers_) all += sessions.size();
  return all;
}

void reading::wake(stream_id stream) {
  const auto found = watchers_.find(stream);
  if (found == watchers_.end()) return;
  for (const session_id session : found->second) notices_.changed(session, stream);
  watchers_.erase(found);
}

void reading::end(session_id session) {
  boost::unordered::erase_if(watchers_,
                             [&](auto& item) { return item.second.erase(session) > 0 && item.second.empty(); });
}

}  // namespace tidegate::core::api
