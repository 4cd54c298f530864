#include "broker/core/broker.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/base/log.hpp"

namespace tidegate::core {
namespace {

// Smaller steps back, as time servers make them, are waited out: stamps stand still for so long.
constexpr milliseconds clock_step_back_min = std::chrono::seconds(10);

std::unordered_map<std::string, store::producer_state> producers_in(const store::contents& found) {
  std::unordered_map<std::string, store::producer_state> producers;
  found.each(store::fact_space::producer, [&](std::string_view name, std::string_view value) {
    producers.emplace(name, store::decode_producer(value));
  });
  return producers;
}

// What is left out of account would be lost.
void check_facts(const store::contents& found) {
  for (const auto& [name, value] : found.facts) {
    switch (store::space_of(name)) {
      case store::fact_space::committed_offset:
      case store::fact_space::producer:
      case store::fact_space::definition:
      case store::fact_space::store: continue;
    }
    throw storage_failure("the store holds something that this version does not know: use the version that wrote it");
  }
}

}  // namespace

broker::broker(store::store& store, const clock& clock, broker_options options)
    : store_(store),
      clock_(clock),
      options_(options),
      commits_(store, clock, options.commit, options.group_bytes_max),
      offsets_(store.found()),
      producers_(producers_in(store.found()), clock) {
  check_facts(store.found());
  load();
  // Of the newest rows, so that a start reads no more of them than it may keep.
  const store::loss_number newest = store_.found_books().losses.newest();
  const store::loss_number before = newest - std::min<store::loss_number>(newest, limits::known_damage);
  if (const auto losses = store_.read().losses(before, limits::known_damage)) {
    for (const auto& [number, lost] : *losses) {
      if (lost.reason != store::loss_reason::damaged) continue;
      known_damage_.emplace(std::pair(lost.stream, lost.end), lost.first);
    }
  }
  store_.forget_found();
}

broker::~broker() = default;

session_id broker::attach(session_events& events) {
  const session_id id{next_session_++};
  sessions_[id].events = &events;
  return id;
}

result<void> broker::lease(session_id session, const lease_request& request) {
  const auto taken = leases_.take(session, request);
  if (!taken) return taken.error();
  if (*taken) sessions_.at(**taken).events->lease_lost(request.name);
  return {};
}

void broker::detach(session_id session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const session_entry entry = std::move(found->second);
  sessions_.erase(found);
  leases_.release(session);
  for (const consumer_id consumer : entry.consumers) cancel(consumer);
  for (const stream_id stream : entry.watched) {
    const auto partition = partition_streams_.find(stream);
    if (partition != partition_streams_.end()) partition->second->watchers.erase(session);
  }
}

session_events* broker::events_of(session_id session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : found->second.events;
}

error broker::full_error() const {
  const auto& pages = store_.pages();
  return {errc::store_full,
          fmt::format(
              "the store holds {} of {} MiB and takes no more ({:.0f} % is its bound): consume, let retention work, "
              "or raise store.bytes_max",
              (pages.used_pages * pages.page_bytes) >> 20, (pages.map_pages * pages.page_bytes) >> 20,
              store::refuse_above * 100)};
}

result<void> broker::check_room() const {
  if (store_.is_full()) return full_error();
  return {};
}

// Null: there is no such exchange. Until the next call.
const routing::route* broker::find_route(const message_view& message) {
  if (!message.exchange.empty()) return exchanges_.find(message.exchange, message.routing_key);
  default_route_.queues.clear();
  const auto queue = queues_.find(message.routing_key);
  if (queue != queues_.end()) default_route_.queues.push_back(queue->second.get());
  return &default_route_;
}

result<publish_outcome> broker::publish(const message_view& message, const publish_request& request) {
  if (const auto checked = check(message); !checked) return checked.error();
  const routing::route* const route = find_route(message);
  if (route == nullptr) {
    return error{errc::not_found, fmt::format("no exchange '{}'; declare it first", message.exchange), "exchange"};
  }
  if (request.producer) {
    const auto checked = producers_.check(*request.producer, request.sequence);
    if (!checked) return checked.error();
    if (*checked == topics::sequence_check::duplicate) {
      ++counters_.duplicates;
      // Its first self is on its way, and shares that one's fate, or on flash.
      const bool is_on_its_way = producers_.durable_sequence(*request.producer) < request.sequence;
      commits_.answer_later(request.answer, is_on_its_way);
      // For what is on flash there is nothing to write; the answer rides with whatever goes next.
      commits_.note(is_on_its_way || !store_.open_group().empty() ? options_.commit.linger : milliseconds(0));
      return publish_outcome::duplicate;
    }
  }
  if (route->empty()) {
    ++counters_.unroutable;
    return publish_outcome::unroutable;
  }
  const course course = course_of(message, *route, request.producer);
  if (course == course::written && store_.is_full()) {
    ++counters_.refused_full;
    return full_error();
  }
  if (const auto checked = check_overflow(message, *route); !checked) {
    ++counters_.refused_overflow;
    return checked.error();
  }
  if (const auto appended = append(message, *route, course); !appended) return appended.error();
  if (request.producer) {
    producers_.advance(*request.producer, request.sequence, store_.open_group(), course != course::at_once);
  }
  ++counters_.published;
  commits_.answer_later(request.answer, course, wait_of(*route));
  return course == course::written ? publish_outcome::stored : publish_outcome::in_memory;
}

partition& broker::choose(topic& topic, std::string_view key) {
  return topic.choose(key, topic.is_in_memory() ? commits_.memory_turn() : commits_.group_number());
}

result<void> broker::check_overflow(const topic& topic, const partition& partition, std::uint64_t bytes,
                                    std::uint64_t records) const {
  const topic_definition& bound = topic.definition();
  const auto* const stream = store_.read().find(partition.stream);
  const offset_t log_start = stream == nullptr ? 0 : stream->log_start;
  const std::uint64_t coming = bound.durability.is_memory() ? store_.memory_bytes_on_their_way(partition.stream)
                                                            : partition.on_their_way.sum(commits_.group_number());
  const std::uint64_t held = (stream == nullptr ? 0 : stream->bytes) + coming;
  const bool fits = held + bytes + store::roll_up_growth_bytes_max <= bound.retention_bytes;
  const bool is_counted =
      bound.retention_records == 0 || partition.next - log_start + records <= bound.retention_records;
  if (fits && is_counted) return {};
  const std::string reader = kept_for(bound, partition);
  return error{
      errc::store_full,
      fmt::format("topic '{}' holds {} records in {} KiB in this partition, as much as it may{}{}, and rejects "
                  "more: let its readers move on, or raise its retention",
                  bound.name, partition.next - log_start, held / limits::kib, reader.empty() ? "" : ", ", reader),
      "topic"};
}

result<void> broker::check_overflow(const message_view& message, const routing::route& route) {
  for (const queue* const queue : route.queues) {
    if (const auto checked = queue->check_room(message.body.size()); !checked) return checked;
  }
  for (topic* const topic : route.topics) {
    if (!topic->rejects()) continue;
    const partition& partition = choose(*topic, message.key);
    const auto checked = check_overflow(*topic, partition, record_size_bound(message), 1);
    if (!checked) return checked;
  }
  return {};
}

result<void> broker::append(const message_view& message, const routing::route& route, course course) {
  const std::size_t targets = route.queues.size() + route.topics.size();
  if (targets * record_size_bound(message) > limits::fan_out_bytes && targets > 1) {
    return error{errc::too_large,
                 fmt::format("a message of {} bytes for {} targets is over the limit of {} bytes in all",
                             record_size_bound(message), targets, limits::fan_out_bytes),
                 "body"};
  }
  const std::int64_t now = commits_.timeline().wall().count();
  message_view stamped = message;
  stamped.is_time_estimated = !commits_.timeline().is_wall_trusted();
  if (const auto promised = promise_memory(stamped, route, course); !promised) return promised;
  for (queue* const queue : route.queues) {
    queue->append(stamped, now, commits_.group_of(queue->definition().durability, course));
  }
  for (topic* const topic : route.topics) {
    partition& partition = choose(*topic, message.key);
    const stamp stamp = next_stamp(*topic, partition, now);
    store::commit_group& group = commits_.group_of(topic->definition().durability, course);
    if (stamp.corrected_ms) {
      const std::string in_error = std::to_string(*stamp.corrected_ms);
      message_view marked = stamped;
      marked.headers.push_back({header_clock_corrected, in_error});
      group.append(partition.stream, partition.next++, stamp.timestamp_ms, marked);
    } else {
      group.append(partition.stream, partition.next++, stamp.timestamp_ms, stamped);
    }
    if (topic->rejects()) partition.on_their_way.add(commits_.group_number(), record_size_bound(message));
  }
  return {};
}

broker::stamp broker::next_stamp(const topic& topic, partition& partition, std::int64_t now_ms) {
  const std::int64_t newest = partition.newest_timestamp_ms;
  const bool is_corrected = commits_.timeline().is_wall_trusted() && newest - now_ms > clock_step_back_min.count();
  if (!is_corrected) return {partition.newest_timestamp_ms = std::max(newest, now_ms)};
  partition.newest_timestamp_ms = now_ms;
  ++counters_.clock_corrections;
  log::warning(
      "topic {}: the clock was set back by {} s; records up to offset {} of a partition may carry times that "
      "were stamped in error",
      topic.definition().name, (newest - now_ms) / 1'000, partition.next - std::min<offset_t>(partition.next, 1));
  return {now_ms, newest};
}

void broker::lose(std::string_view device, std::uint64_t first, std::uint64_t end) {
  store::loss_record record{store::loss_reason::device, stream_id{}, std::string(device), first, end, end - first};
  record.unread = record.records;
  store_.open_group().lose(std::move(record));
  commits_.note(commits::acknowledgement_delay_max);
}

// Whoever may be given something has been told so: with each message that comes or comes back, and each credit.
void broker::tell(consumer& consumer) {
  if (consumer.told || !consumer.source->wants(consumer)) return;
  consumer.told = true;
  if (session_events* const events = events_of(consumer.session)) events->deliverable(consumer.id);
}

void broker::wake_consumers(queue& queue) {
  for (consumer* const consumer : queue.consumers()) tell(*consumer);
}

void broker::wake_watchers(partition& partition) {
  for (const session_id session : std::exchange(partition.watchers, {})) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) continue;
    found->second.watched.erase(partition.stream);
    found->second.events->changed(partition.stream);
  }
}

void broker::tick() {
  store_.watch();
  store::commit_group& group = store_.open_group();
  // Where a bound was lowered. What is with the writer may still become void, and its offsets be given again.
  for (const auto& [name, queue] : queues_) {
    const bool is_whole = queue->is_in_memory() ? store_.is_free(queue->stream(), 0) : !store_.is_busy();
    if (is_whole) queue->keep_bounds(store_.read(), group_of(*queue));
  }
  for (const auto& [name, topic] : topics_) {
    if (topic->definition().retention_age.count() == 0) continue;
    (topic->is_in_memory() ? store_.memory_group() : group).expire();
  }
  producers_.expire(group);
  commits_.tick();
  if (!group.empty()) commits_.note_settled(false);
  if (commits_.has_memory_group()) commits_.note_settled(true);
}

}  // namespace tidegate::core
