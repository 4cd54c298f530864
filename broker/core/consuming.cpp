// The broker's side of consumers: of queues, and of topics with their groups.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "broker/base/bytes.hpp"
#include "broker/base/log.hpp"
#include "broker/core/broker.hpp"

namespace tidegate::core {
namespace {

error no_queue(std::string_view name) {
  return {errc::not_found, fmt::format("no queue '{}'; declare it first", name), "queue"};
}

// Of what no queue or topic of today holds.
loss_row named_by_source(store::loss_number number, const store::loss_record& record) {
  const std::string& source = record.source;
  switch (record.reason) {
    case store::loss_reason::device: return {number, "device", source, 0, record};
    case store::loss_reason::deleted: {
      const std::size_t slash = source.rfind('/');
      std::uint32_t partition = 0;
      std::from_chars(source.data() + std::min(slash + 1, source.size()), source.data() + source.size(), partition);
      return {number, "topic", source.substr(0, slash), partition, record};
    }
    default: return {number, "store", source, 0, record};
  }
}

}  // namespace

result<consumer_id> broker::consume(session_id session, std::string_view queue, std::uint32_t prefetch, bool auto_ack) {
  const auto found = queues_.find(queue);
  if (found == queues_.end()) return no_queue(queue);
  const auto owner = sessions_.find(session);
  TIDEGATE_EXPECT(owner != sessions_.end());
  if (owner->second.consumers.size() >= limits::consumers_per_connection) {
    return error{errc::limit,
                 fmt::format("{} consumers on one connection are the limit", limits::consumers_per_connection)};
  }
  const consumer_id id{next_consumer_++};
  auto made = std::make_unique<consumer>();
  made->id = id;
  made->session = session;
  made->source = found->second.get();
  made->prefetch = prefetch == 0 ? limits::prefetch_max : std::min(prefetch, limits::prefetch_max);
  made->auto_ack = auto_ack;
  found->second->add_consumer(*made);
  owner->second.consumers.push_back(id);
  consumers_.emplace(id, std::move(made));
  wake_consumers(*found->second);
  return id;
}

void broker::cancel(consumer_id id) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return;
  consumer& consumer = *found->second;
  queue& queue = *consumer.source;
  queue.remove_consumer(consumer, group_of(queue));
  if (const auto owner = sessions_.find(consumer.session); owner != sessions_.end())
    std::erase(owner->second.consumers, id);
  consumers_.erase(found);
  if (!group_of(queue).empty()) note_settled(queue);
  wake_consumers(queue);
}

result<pull_result> broker::pull(consumer_id id, const delivery_taker& take) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return pull_result{};
  consumer& consumer = *found->second;
  const auto pulled = consumer.source->pull(consumer, store_.read(), group_of(*consumer.source), take);
  if (!pulled) return pulled;
  if (!store_.open_group().losses().empty()) commits_.note(commits::acknowledgement_delay_max);
  counters_.delivered += pulled->count;
  if (consumer.auto_ack && pulled->count > 0) {
    counters_.acknowledged += pulled->count;
    note_settled(*consumer.source);
  }
  return pulled;
}

bool broker::settle(consumer_id id, offset_t offset, outcome outcome) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end() || !found->second->source->is_unsettled(*found->second, offset)) return false;
  consumer& consumer = *found->second;
  queue& queue = *consumer.source;
  const bool was_at_limit = queue.unsettled() >= limits::unsettled_per_queue;
  switch (outcome) {
    case outcome::ack: queue.acknowledge(consumer, offset, group_of(queue)); break;
    case outcome::discard: queue.discard(consumer, offset, group_of(queue)); break;
    case outcome::requeue: queue.requeue(consumer, offset, group_of(queue)); break;
  }
  if (outcome == outcome::ack) ++counters_.acknowledged;
  note_settled(queue);
  // An acknowledgement gives credit to its consumer alone, unless the whole queue waited for one.
  if (outcome == outcome::requeue || was_at_limit) {
    wake_consumers(queue);
  } else {
    tell(consumer);
  }
  return true;
}

error broker::no_topic(std::string_view name) const {
  return {errc::not_found, fmt::format("no topic '{}'; declare it first", name), "topic"};
}

result<partition*> broker::partition_of(const topic_name& topic, std::uint32_t number) const {
  const auto found = topics_.find(topic.name);
  if (found == topics_.end()) return no_topic(topic.name);
  const std::string& id = found->second->definition().uuid;
  if (!topic.id.empty() && topic.id != id) {
    return error{errc::precondition,
                 fmt::format("topic '{}' was deleted and declared again: it is {} now, not {}; its offsets begin anew",
                             topic.name, id, topic.id),
                 "topic_id"};
  }
  if (partition* const partition = found->second->find(number)) return partition;
  return error{errc::not_found,
               fmt::format("topic '{}' has partitions 0 to {}, not {}", topic.name,
                           found->second->partitions().size() - 1, number),
               "partition"};
}

result<offset_t> broker::produce(const topic_name& topic, std::uint32_t number, std::string_view bytes,
                                 const receipt& answer) {
  const auto partition = partition_of(topic, number);
  if (!partition) return partition.error();
  if (bytes.size() > limits::batch_bytes) {
    return error{errc::too_large,
                 fmt::format("a batch of {} bytes is over the limit of {}", bytes.size(), limits::batch_bytes),
                 "batch"};
  }
  const auto batch = check_produced(bytes);
  if (!batch) return batch.error();
  const auto& into = *topics_.find(topic.name)->second;
  const durability durability = into.definition().durability;
  const bool is_free = store_.is_free((*partition)->stream, (*partition)->next + batch->count);
  const course course = !durability.is_memory() ? course::written : is_free ? course::at_once : course::riding;
  if (course == course::written && store_.is_full()) {
    ++counters_.refused_full;
    return full_error();
  }
  if (into.rejects()) {
    if (const auto checked = check_overflow(into, **partition, bytes.size(), batch->count); !checked) {
      ++counters_.refused_overflow;
      return checked.error();
    }
    (*partition)->on_their_way.add(commits_.group_number(), bytes.size());
  }
  store::commit_group& group = commits_.group_of(durability, course);
  if (durability.is_memory() && !store_.promise_memory(group, bytes.size(), 1)) {
    ++counters_.refused_full;
    return memory_full_error();
  }
  std::string owned(bytes);
  const offset_t base = (*partition)->next;
  set_base_offset(owned, base);
  (*partition)->next += batch->count;
  group.append_batch((*partition)->stream, std::move(owned));
  counters_.published += batch->count;
  commits_.answer_later(answer, course, wait_of(durability));
  return base;
}

result<fetched> broker::range(const topic_name& topic, std::uint32_t number) const {
  const auto partition = partition_of(topic, number);
  if (!partition) return partition.error();
  fetched out;
  if (const auto* const stream = store_.read().find((*partition)->stream)) {
    out.log_start = stream->log_start;
    out.high_watermark = stream->end;
  }
  return out;
}

result<fetched> broker::fetch(const topic_name& topic, std::uint32_t number, offset_t offset, std::size_t bytes_max) {
  auto out = range(topic, number);
  if (!out) return out;
  if (offset < out->log_start || offset > out->high_watermark) {
    out->out_of_range = true;
    return out;
  }
  if (offset == out->high_watermark) return out;
  const stream_id stream = partition_of(topic, number).value()->stream;
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

// Readers pass over what fails its CRC or is missing. It stays so, and is a loss once.
void broker::lose(std::string_view topic, stream_id stream, offset_range damaged) {
  for (auto known = known_damage_.find({stream, damaged.end}); known != known_damage_.end();
       known = known_damage_.find({stream, damaged.end})) {
    if (damaged.begin >= known->second) return;
    damaged.end = known->second;  // who came first began further behind
  }
  if (known_damage_.size() >= limits::known_damage) return;
  known_damage_.emplace(std::pair(stream, damaged.end), damaged.begin);
  store::loss_record lost{store::loss_reason::damaged, stream, {}, damaged.begin, damaged.end, damaged.size()};
  lost.unread = lost.records;
  store_.open_group().lose(std::move(lost));
  commits_.note(commits::acknowledgement_delay_max);
  log::error("topic {}: records at offsets {} to {} are damaged and passed over", topic, damaged.begin,
             damaged.end - 1);
}

result<stream_id> broker::watch(session_id session, const topic_name& topic, std::uint32_t number) {
  const auto partition = partition_of(topic, number);
  if (!partition) return partition.error();
  const auto owner = sessions_.find(session);
  TIDEGATE_EXPECT(owner != sessions_.end());
  owner->second.watched.insert((*partition)->stream);
  (*partition)->watchers.insert(session);
  return (*partition)->stream;
}

result<offset_t> broker::find_time(const topic_name& topic, std::uint32_t number, std::int64_t timestamp_ms) const {
  const auto partition = partition_of(topic, number);
  if (!partition) return partition.error();
  if (store_.read().find((*partition)->stream) == nullptr) return offset_t{0};  // declared, not yet on flash
  return store_.read().find_time((*partition)->stream, timestamp_ms);
}

result<void> broker::commit_offset(std::string_view group, const topic_name& topic, std::uint32_t number,
                                   offset_t offset, std::string_view metadata, const receipt& answer) {
  const auto partition = partition_of(topic, number);
  if (!partition) return partition.error();
  const stream_id stream = (*partition)->stream;
  if (const auto checked = offsets_.check(stream, group, metadata); !checked) return checked;
  // Committed offsets move on where publishes are refused, so that what fills the store can be worked off.
  const bool is_full = store_.pages().used_share() > store::store_none_above;
  if (is_full && offsets_.grows(stream, group, metadata)) return full_error();
  offsets_.commit(stream, group, {offset, std::string(metadata)}, commits_.gathering());
  commits_.answer_later(answer, false);
  commits_.note(options_.commit.linger);
  return {};
}

result<std::optional<store::cursor_state>> broker::committed(std::string_view group, const topic_name& topic,
                                                             std::uint32_t number) const {
  const auto partition = partition_of(topic, number);
  if (!partition) return partition.error();
  const store::cursor_state* const found = offsets_.find((*partition)->stream, group);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

// Whose it was. Neither queue nor topic: it has been deleted.
loss_row broker::owned(store::loss_number number, const store::loss_record& record) const {
  if (!record.source.empty()) return named_by_source(number, record);
  if (const auto queue = queue_streams_.find(record.stream); queue != queue_streams_.end()) {
    return {number, "queue", queue->second->definition().name, 0, record};
  }
  if (const auto found = partition_streams_.find(record.stream); found != partition_streams_.end()) {
    const partition& partition = *found->second;
    return {number, "topic", partition.owner->definition().name, partition.number, record};
  }
  return {number, {}, {}, 0, record};
}

result<std::vector<loss_row>> broker::list_losses(store::loss_number after, std::size_t rows_max) const {
  const auto losses = store_.read().losses(after, rows_max);
  if (!losses) return losses.error();
  std::vector<loss_row> rows;
  for (const auto& [number, record] : *losses) rows.push_back(owned(number, record));
  return rows;
}

std::vector<group_row> broker::list_groups(const group_place& after, std::size_t rows_max) const {
  std::vector<group_row> rows;
  for (auto found = topics_.lower_bound(after.topic); found != topics_.end(); ++found) {
    const auto& [name, topic] = *found;
    const bool is_inside = name == after.topic;
    for (std::uint32_t number = is_inside ? after.partition : 0; number < topic->partitions().size(); ++number) {
      const stream_id stream = topic->partitions()[number].stream;
      const auto* const view = store_.read().find(stream);
      const offset_t end = view == nullptr ? 0 : view->end, log_start = view == nullptr ? 0 : view->log_start;
      const bool is_begun = is_inside && number == after.partition;
      offsets_.each(stream, is_begun ? after.group : std::string(), [&](const groups::offsets::place& place) {
        if (rows.size() >= rows_max) return false;
        const std::uint64_t lag = end - std::min(end, std::max(place.offset, log_start));
        rows.push_back({std::string(place.group), name, number, place.offset, lag});
        return true;
      });
      if (rows.size() >= rows_max) return rows;
    }
  }
  return rows;
}

}  // namespace tidegate::core
