#include "broker/core/transfer/intake.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/log.hpp"
#include "broker/core/commits/refusals.hpp"
#include "broker/model/properties.hpp"

namespace tidegate::core::transfer {
namespace {

using commits::course;

// Smaller steps back, as time servers make them, are waited out: timestamps stand still until the clock has caught up.
constexpr milliseconds clock_step_back_min = std::chrono::seconds(10);

std::unordered_map<std::string, store::producer_state> producers_in(const store::contents& found) {
  std::unordered_map<std::string, store::producer_state> producers;
  found.each(store::fact_space::producer, [&](std::string_view name, std::string_view value) {
    producers.emplace(name, store::decode_producer(value));
  });
  return producers;
}

}  // namespace

intake::intake(store::store& store, const clock& clock, catalog::catalog& catalog, commits::pipeline& commits,
               milliseconds linger)
    : store_(store),
      catalog_(catalog),
      commits_(commits),
      linger_(linger),
      producers_(producers_in(store.found()), clock) {}

result<publish_outcome> intake::publish(message_view& message, const publish_request& request) {
  if (const auto checked = check(message); !checked) return checked.error();
  if (!message.properties.empty()) {
    if (const auto decoded = read_properties(message.properties); !decoded) return decoded.error();
  }
  const routing::route* const route = catalog_.find_route(message);
  if (route == nullptr) {
    return error{errc::not_found, fmt::format("no exchange '{}'; declare it first", message.exchange), "exchange"};
  }
  if (route->is_internal) {
    return error{
        errc::not_allowed,
        fmt::format("exchange '{}' is internal: it takes messages from other exchanges only", message.exchange),
        "exchange"};
  }
  if (request.producer) {
    const auto checked = producers_.check(*request.producer, request.sequence);
    if (!checked) return checked.error();
    if (*checked == topics::sequence_check::duplicate) {
      settle_duplicate(request);
      return publish_outcome::duplicate;
    }
  }
  if (route->empty()) {
    ++counters_.unroutable;
    return publish_outcome::unroutable;
  }
  const auto time = commits_.timeline().read();
  message.is_time_estimated = !time.is_trusted;
  if (const auto planned = make_plan(message, *route, request.producer); !planned) return planned.error();
  put(message, time.wall.count());
  const course course = plan_.course;
  if (request.producer) {
    producers_.advance(*request.producer, request.sequence, commits_.gathering(), course != course::at_once);
  }
  ++counters_.published;
  commits_.answer_later(request.answer, course, plan_.wait_max);
  return course == course::written ? publish_outcome::stored : publish_outcome::in_memory;
}

void intake::settle_duplicate(const publish_request& request) {
  ++counters_.duplicates;
  // If the original is still on its way, the duplicate is refused together with it. Otherwise the original is durable.
  const bool is_on_its_way = producers_.durable_sequence(*request.producer) < request.sequence;
  commits_.answer_later(request.answer, is_on_its_way);
  // A durable original needs no commit: its answer goes with the group that gathers, or at once if that is empty.
  commits_.note(is_on_its_way || !commits_.gathering().empty() ? linger_ : milliseconds(0));
}

// A stream keeps the order of its appends, and a producer's sequence implies that all earlier ones have arrived. So if
// an earlier message of the stream or of the producer waits for a commit, this message has to wait for that commit as
// well.
result<void> intake::make_plan(const message_view& message, const routing::route& route,
                               const std::optional<topics::producer_ref>& producer) {
  plan_.clear();
  plan_.record_bytes_max = record_size_bound(message);
  if (route.size() > 1 && route.size() * plan_.record_bytes_max > limits::fan_out_bytes) {
    return error{errc::too_large,
                 fmt::format("a message of {} bytes for {} targets is over the limit of {} bytes in all",
                             plan_.record_bytes_max, route.size(), limits::fan_out_bytes),
                 "body"};
  }
  bool is_free = true;
  milliseconds wait = milliseconds::max();
  const auto look = [&](const durability& durability, stream_id stream, offset_t next) {
    if (durability.is_memory()) {
      ++plan_.memory_placements;
      is_free = is_free && store_.in_memory().is_free(stream, next + 1);
    } else {
      wait = std::min(wait, wait_of(durability));
    }
  };
  for (queues::queue* const queue : route.queues) {
    look(queue->definition().durability, queue->stream(), queue->next_offset());
    plan_.placements.push_back({queue, nullptr});
  }
  for (topics::topic* const topic : route.topics) {
    topics::partition& partition = choose(*topic, message.key);
    look(topic->definition().durability, partition.stream, partition.next);
    plan_.placements.push_back({nullptr, &partition});
  }
  const bool is_written = plan_.memory_placements < plan_.placements.size();
  is_free = is_free && !is_written && !(producer && producers_.is_on_its_way(*producer));
  plan_.course = is_written ? course::written : is_free ? course::at_once : course::riding;
  plan_.wait_max = is_written ? wait : linger_;
  return check_bounds(message);
}

result<void> intake::check_bounds(const message_view& message) {
  if (plan_.course == course::written && store_.is_full()) {
    ++counters_.refused_full;
    return commits::store_full_error(store_);
  }
  for (const auto& [queue, partition] : plan_.placements) {
    const auto checked = queue != nullptr ? queue->check_room(message.body.size())
                                          : check_overflow(*partition, plan_.record_bytes_max, 1);
    if (checked) continue;
    ++counters_.refused_overflow;
    return checked;
  }
  if (plan_.memory_placements == 0) return {};
  return promise_memory(plan_.course, plan_.memory_placements * plan_.record_bytes_max, plan_.memory_placements);
}

result<void> intake::check_overflow(const topics::partition& partition, std::uint64_t bytes,
                                    std::uint64_t records) const {
  const topic_definition& bound = partition.owner->definition();
  if (bound.overflow != overflow::reject) return {};
  const auto* const stream = store_.read().find(partition.stream);
  const offset_t log_start = stream == nullptr ? 0 : stream->log_start;
  const std::uint64_t coming = bound.durability.is_memory() ? store_.in_memory().bytes_on_their_way(partition.stream)
                                                            : partition.on_their_way.sum(commits_.group_number());
  const std::uint64_t held = (stream == nullptr ? 0 : stream->bytes) + coming;
  const bool fits = held + bytes + store::roll_up_growth_bytes_max <= bound.retention_bytes;
  const bool is_counted =
      bound.retention_records == 0 || partition.next - log_start + records <= bound.retention_records;
  if (fits && is_counted) return {};
  const std::string reader = catalog_.protection().kept_for(partition);
  return error{
      errc::target_full,
      fmt::format("topic '{}' holds {} records in {} KiB in this partition, as much as it may{}{}, and rejects "
                  "more: let its readers move on, or raise its retention",
                  bound.name, partition.next - log_start, held / limits::kib, reader.empty() ? "" : ", ", reader),
      "topic"};
}

result<void> intake::promise_memory(course course, std::uint64_t bytes, std::uint64_t batches) {
  if (store_.in_memory().promise(commits_.group_of(durability::memory(), course), bytes, batches)) return {};
  ++counters_.refused_full;
  return commits::memory_full_error(store_);
}

milliseconds intake::wait_of(const durability& durability) const {
  return durability.how == durability::mode::interval ? durability.interval : linger_;
}

topics::partition& intake::choose(topics::topic& topic, std::string_view key) {
  return topic.choose(key, topic.is_in_memory() ? commits_.memory_turn() : commits_.group_number());
}

void intake::put(message_view& message, std::int64_t now_ms) {
  for (const auto& [queue, partition] : plan_.placements) {
    if (queue != nullptr) {
      queue->append(message, now_ms, commits_.group_of(queue->definition().durability, plan_.course));
    } else {
      put(message, *partition, now_ms);
    }
  }
}

void intake::put(message_view& message, topics::partition& partition, std::int64_t now_ms) {
  const stamp stamp = next_stamp(partition, now_ms);
  store::commit_group& group = commits_.group_of(partition.owner->definition().durability, plan_.course);
  const std::string in_error = stamp.corrected_ms ? std::to_string(*stamp.corrected_ms) : std::string();
  if (stamp.corrected_ms) message.headers.push_back({header_clock_corrected, in_error});
  group.append(partition.stream, partition.next++, stamp.timestamp_ms, message);
  if (stamp.corrected_ms) message.headers.pop_back();
  if (partition.owner->rejects()) partition.on_their_way.add(commits_.group_number(), plan_.record_bytes_max);
}

intake::stamp intake::next_stamp(topics::partition& partition, std::int64_t now_ms) {
  const std::int64_t newest = partition.newest_timestamp_ms;
  const bool is_corrected = newest - now_ms > clock_step_back_min.count() && commits_.timeline().is_wall_trusted();
  if (!is_corrected) return {partition.newest_timestamp_ms = std::max(newest, now_ms)};
  partition.newest_timestamp_ms = now_ms;
  ++counters_.clock_corrections;
  log::warning(
      "topic {}: the clock was set back by {} s; records up to offset {} of a partition may carry times that "
      "were stamped in error",
      partition.owner->definition().name, (newest - now_ms) / 1'000,
      partition.next - std::min<offset_t>(partition.next, 1));
  return {now_ms, newest};
}

result<offset_t> intake::produce(const catalog::topic_name& topic, std::uint32_t number, std::string_view bytes,
                                 const receipt& answer) {
  const auto found = catalog_.topics().find(topic, number);
  if (!found) return found.error();
  if (bytes.size() > limits::batch_bytes) {
    return error{errc::too_large,
                 fmt::format("a batch of {} bytes is over the limit of {}", bytes.size(), limits::batch_bytes),
                 "batch"};
  }
  const auto batch = check_produced(bytes);
  if (!batch) return batch.error();
  topics::partition& partition = **found;
  const durability& durability = partition.owner->definition().durability;
  course course = course::written;
  if (durability.is_memory()) {
    course =
        store_.in_memory().is_free(partition.stream, partition.next + batch->count) ? course::at_once : course::riding;
  } else if (store_.is_full()) {
    ++counters_.refused_full;
    return commits::store_full_error(store_);
  }
  if (const auto checked = check_overflow(partition, bytes.size(), batch->count); !checked) {
    ++counters_.refused_overflow;
    return checked.error();
  }
  if (durability.is_memory()) {
    if (const auto promised = promise_memory(course, bytes.size(), 1); !promised) return promised.error();
  }
  if (partition.owner->rejects()) partition.on_their_way.add(commits_.group_number(), bytes.size());
  std::string owned(bytes);
  const offset_t base = partition.next;
  set_base_offset(owned, base);
  partition.next += batch->count;
  commits_.group_of(durability, course).append_batch(partition.stream, std::move(owned));
  counters_.published += batch->count;
  commits_.answer_later(answer, course, wait_of(durability));
  return base;
}

void intake::lose(std::string_view device, std::uint64_t first, std::uint64_t end) {
  store::loss_record record{store::loss_reason::device, stream_id{}, std::string(device), first, end, end - first};
  record.unread = record.records;
  commits_.gathering().lose(std::move(record));
  commits_.note(commits::acknowledgement_delay_max);
}

// Drops may reach up to a queue's newest append, so they go into the group that holds it. For a queue in memory that is
// the memory group, unless later appends are in the riding group or in the one with the writer.
void intake::keep_bounds(store::commit_group& group) {
  for (std::size_t i = 0; i < group.contents().shares.size(); ++i) {
    const stream_id stream = group.contents().shares[i].stream;
    queues::queue* const queue = catalog_.queues().find(stream);
    const bool is_whole = &group != &store_.memory_group() || store_.in_memory().is_free(stream, 0);
    if (queue != nullptr && is_whole) bury(queue->keep_bounds(store_.read(), group), group);
  }
}

// Records the loss of messages that a queue dropped for its bounds. Like their acknowledgements, the record is void if
// the group's records are.
void intake::bury(const queues::departures& gone, store::commit_group& group) {
  if (gone.records == 0) return;
  store::loss_record lost{gone.reason, gone.stream, {}, gone.first, gone.end, gone.records};
  lost.bytes = gone.bytes;
  lost.unread = gone.records;
  group.lose(std::move(lost), true);
}

void intake::tick() {
  // A queue with appends at the writer is left out: these may still become void and their offsets be given again.
  for (const auto& [name, queue] : catalog_.queues().all()) {
    const bool is_whole =
        queue->definition().durability.is_memory() ? store_.in_memory().is_free(queue->stream(), 0) : !store_.is_busy();
    store::commit_group& group = commits_.group_of(queue->definition().durability, course::at_once);
    if (is_whole) bury(queue->keep_bounds(store_.read(), group), group);
  }
  producers_.expire(commits_.gathering());
}

void intake::void_appends() {
  for (const auto& [name, queue] : catalog_.queues().all()) queue->void_appends();
  for (const auto& [stream, partition] : catalog_.topics().partitions()) {
    const auto* const durable = store_.read().find(stream);
    partition->next = durable == nullptr ? 0 : durable->end;
  }
  producers_.restore_durable();
}

}  // namespace tidegate::core::transfer
