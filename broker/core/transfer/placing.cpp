#include "broker/core/transfer/placing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/log.hpp"
#include "broker/core/commits/refusals.hpp"
#include "broker/model/deaths.hpp"
#include "broker/model/properties.hpp"

namespace tidegate::core::transfer {
namespace {

using commits::course;

// Smaller steps back, as time servers make them, are waited out: timestamps stand still until the clock has caught up.
constexpr milliseconds clock_step_back_min = std::chrono::seconds(10);

// Headers with which a topic's record tells how a dead letter died.
constexpr std::size_t death_headers_bytes_max = 2 * limits::name_bytes;

bool is_in_memory(const placement& placement) {
  return placement.queue != nullptr ? placement.queue->definition().durability.is_memory()
                                    : placement.partition->owner->is_in_memory();
}

// Priorities above the queue's highest count as that.
std::uint8_t level_in(const queues::queue& queue, std::uint8_t priority) {
  return std::min(priority, queue.definition().priority_max);
}

}  // namespace

result<traits> traits_of(const message_view& message) {
  traits traits;
  if (message.properties.empty()) return traits;
  const auto properties = read_properties(message.properties);
  if (!properties) return properties.error();
  const auto live = time_to_live_of(*properties);
  if (!live) return live.error();
  traits = {*live, properties->priority.value_or(0)};
  return traits;
}

result<void> placing::plan(const message_view& message, const routing::route& route, const traits& traits, bool waits) {
  plan_.clear();
  plan_.traits = traits;
  plan_.record_bytes_max = record_size_bound(message);
  if (route.size() > 1 && route.size() * plan_.record_bytes_max > limits::fan_out_bytes) {
    return error{errc::too_large,
                 fmt::format("a message of {} bytes for {} targets is over the limit of {} bytes in all",
                             plan_.record_bytes_max, route.size(), limits::fan_out_bytes),
                 "body"};
  }
  add_targets(message, route);
  find_course(waits);
  return check_bounds(message);
}

result<void> placing::plan_delayed(message_view& message, milliseconds delay) {
  if (delay < milliseconds(0) || delay > limits::time_to_live_max) {
    return error{errc::invalid,
                 fmt::format("a delay of {} ms is not from 0 to {}", delay.count(), limits::time_to_live_max.count()),
                 "delay_ms"};
  }
  queues::queue* const delayed = catalog_.open_delayed(false);
  if (delayed == nullptr) return commits::store_full_error(store_);
  message.due_ms = static_cast<std::uint64_t>((commits_.timeline().lifetime() + delay).count());
  plan_.clear();
  plan_.record_bytes_max = record_size_bound(message);
  plan_.placements.push_back({delayed, nullptr});
  find_course(true);
  return check_bounds(message);
}

void placing::plan_move(const message_view& message, const routing::route& route, const traits& traits,
                        const queues::queue* from, const std::function<bool(const queues::queue&)>& takes) {
  plan_.clear();
  plan_.traits = traits;
  plan_.moved_from = from;
  plan_.record_bytes_max = record_size_bound(message) + death_headers_bytes_max;
  add_targets(message, route);
  leave_out_refusing(message, takes);
}

void placing::plan_move(const message_view& message, queues::queue& to, const traits& traits,
                        const queues::queue& from) {
  plan_.clear();
  plan_.traits = traits;
  plan_.moved_from = &from;
  plan_.record_bytes_max = record_size_bound(message);
  const std::uint8_t level = level_in(to, traits.priority);
  catalog_.open_level(to, level);
  plan_.placements.push_back({&to, nullptr, level});
  find_course(false);
  if (plan_.memory_placements > 0 && !promise_memory(plan_.course, plan_.record_bytes_max, 1)) {
    plan_.placements.clear();
  }
}

void placing::add_targets(const message_view& message, const routing::route& route) {
  for (queues::queue* const queue : route.queues) {
    const std::uint8_t level = level_in(*queue, plan_.traits.priority);
    if (level > 0) catalog_.open_level(*queue, level);
    plan_.placements.push_back({queue, nullptr, level});
  }
  for (topics::topic* const topic : route.topics) {
    plan_.placements.push_back({nullptr, &choose(*topic, message.key)});
  }
}

void placing::leave_out_refusing(const message_view& message, const std::function<bool(const queues::queue&)>& takes) {
  std::uint64_t bytes = 0;
  std::erase_if(plan_.placements, [&](const placement& one) {
    bytes += plan_.record_bytes_max;
    const bool fits = bytes <= limits::fan_out_bytes && check(one, message);
    return !fits || (one.queue != nullptr && !takes(*one.queue));
  });
  find_course(false);
  if (plan_.memory_placements == 0) return;
  if (promise_memory(plan_.course, plan_.memory_placements * plan_.record_bytes_max, plan_.memory_placements)) return;
  std::erase_if(plan_.placements, is_in_memory);
  find_course(false);
}

// A stream keeps the order of its appends, and a producer's sequence implies that all earlier ones have arrived. So if
// an earlier message of the stream or of the producer waits for a commit, this message has to wait for that commit as
// well. A message that leaves a queue on flash waits for the commit that notes this.
void placing::find_course(bool waits) {
  bool is_free = !waits && (plan_.moved_from == nullptr || plan_.moved_from->definition().durability.is_memory());
  plan_.memory_placements = 0;
  milliseconds wait = milliseconds::max();
  for (const placement& one : plan_.placements) {
    const durability& durability =
        one.queue != nullptr ? one.queue->definition().durability : one.partition->owner->definition().durability;
    if (!durability.is_memory()) {
      wait = std::min(wait, wait_of(durability));
      continue;
    }
    ++plan_.memory_placements;
    const auto* const lane = one.queue != nullptr ? one.queue->lanes().find(one.level) : nullptr;
    is_free = is_free && (lane != nullptr ? store_.in_memory().is_free(lane->stream(), lane->next_offset() + 1)
                                          : store_.in_memory().is_free(one.partition->stream, one.partition->next + 1));
  }
  const bool is_written = plan_.memory_placements < plan_.placements.size();
  plan_.course = is_written ? course::written : is_free ? course::at_once : course::riding;
  plan_.wait_max = is_written ? wait : linger_;
}

result<void> placing::check(const placement& placement, const message_view& message) const {
  const auto& [queue, partition, level] = placement;
  if (tally_ == nullptr) {
    return queue != nullptr ? queue->bounds().check_room(message.body.size())
                            : check_overflow(*partition, plan_.record_bytes_max, 1);
  }
  if (queue != nullptr) return queue->bounds().check_room(message.body.size(), tally_->queues[queue]);
  const auto& taken = tally_->partitions[partition];
  return check_overflow(*partition, plan_.record_bytes_max + taken.bytes, 1 + taken.records);
}

void placing::note_in_tally(const message_view& message) {
  for (const auto& [queue, partition, level] : plan_.placements) {
    tally_->bytes += plan_.record_bytes_max;
    if (queue != nullptr) {
      tally_->queues[queue] += {1, message.body.size()};
    } else {
      auto& taken = tally_->partitions[partition];
      ++taken.records;
      taken.bytes += plan_.record_bytes_max;
    }
  }
}

result<void> placing::check_bounds(const message_view& message) {
  if (plan_.course == course::written && store_.is_full()) {
    ++counters_.refused_full;
    return commits::store_full_error(store_);
  }
  for (const placement& one : plan_.placements) {
    const auto checked = check(one, message);
    if (checked) continue;
    ++counters_.refused_overflow;
    plan_.refusing = one.queue;
    return checked;
  }
  if (tally_ != nullptr) {
    note_in_tally(message);
    if (tally_->bytes > limits::fan_out_bytes) {
      return error{
          errc::too_large,
          fmt::format("{} bytes for all targets are over the limit of {}", tally_->bytes, limits::fan_out_bytes),
          "body"};
    }
  }
  if (plan_.memory_placements == 0) return {};
  return promise_memory(plan_.course, plan_.memory_placements * plan_.record_bytes_max, plan_.memory_placements);
}

result<void> placing::check_overflow(const topics::partition& partition, std::uint64_t bytes,
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

result<void> placing::promise_memory(course course, std::uint64_t bytes, std::uint64_t batches) {
  if (store_.in_memory().promise(commits_.group_of(durability::memory(), course), bytes, batches)) return {};
  ++counters_.refused_full;
  return commits::memory_full_error(store_);
}

milliseconds placing::wait_of(const durability& durability) const {
  return durability.how == durability::mode::interval ? durability.interval : linger_;
}

topics::partition& placing::choose(topics::topic& topic, std::string_view key) {
  return topic.choose(key, topic.is_in_memory() ? commits_.memory_turn() : commits_.group_number());
}

void placing::put(const transfer::plan& plan, message_view& message, std::int64_t now_ms) {
  for (const placement& one : plan.placements) put(plan, one, message, now_ms);
}

void placing::put(const transfer::plan& plan, const placement& placement, message_view& message, std::int64_t now_ms) {
  if (placement.queue == nullptr) return put(plan, message, *placement.partition, now_ms);
  queues::queue& queue = *placement.queue;
  const std::uint64_t own_due_ms = message.due_ms;
  if (own_due_ms == 0) message.due_ms = due_in(queue, plan.traits);
  const bool is_memory = queue.definition().durability.is_memory();
  const offset_t offset = queue.lanes()
                              .of(placement.level)
                              .append(message, now_ms, commits_.group_of(queue.definition().durability, plan.course));
  if (message.due_ms != 0) {
    timers_.add(queue.lanes().of(placement.level).stream(), offset, message.due_ms, is_memory);
  }
  message.due_ms = own_due_ms;
}

// The lower one of the queue's and the message's time to live counts.
std::uint64_t placing::due_in(const queues::queue& queue, const traits& traits) const {
  const auto& of_queue = queue.definition().time_to_live;
  const auto& of_message = traits.time_to_live;
  if (!of_queue && !of_message) return 0;
  const milliseconds lives = std::min(of_queue.value_or(milliseconds::max()), of_message.value_or(milliseconds::max()));
  return static_cast<std::uint64_t>((commits_.timeline().lifetime() + lives).count());
}

void placing::count_coming(topics::partition& partition, std::uint64_t bytes) {
  if (partition.owner->rejects()) partition.on_their_way.add(commits_.group_number(), bytes);
}

void placing::put(const transfer::plan& plan, message_view& message, topics::partition& partition,
                  std::int64_t now_ms) {
  const stamp stamp = next_stamp(partition, now_ms);
  store::commit_group& group = commits_.group_of(partition.owner->definition().durability, plan.course);
  const std::size_t own_headers = message.headers.size();
  const std::string in_error = stamp.corrected_ms ? std::to_string(*stamp.corrected_ms) : std::string();
  if (stamp.corrected_ms) message.headers.push_back({header_clock_corrected, in_error});
  const auto deaths = message.deaths.empty() ? std::nullopt : decode_deaths(message.deaths);
  if (deaths && !deaths->list.empty()) {
    message.headers.push_back({header_death_queue, deaths->list.front().queue});
    message.headers.push_back({header_death_reason, name(deaths->list.front().reason)});
  }
  group.append(partition.stream, partition.next++, stamp.timestamp_ms, message);
  message.headers.resize(own_headers);
  count_coming(partition, plan.record_bytes_max);
}

placing::stamp placing::next_stamp(topics::partition& partition, std::int64_t now_ms) {
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

}  // namespace tidegate::core::transfer
