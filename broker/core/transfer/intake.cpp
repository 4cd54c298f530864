#include "broker/core/transfer/intake.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/log.hpp"
#include "broker/core/commits/refusals.hpp"

namespace tidegate::core::transfer {
namespace {

using commits::course;

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
      producers_(producers_in(store.found()), clock),
      timers_(store, static_cast<std::uint64_t>(commits.timeline().lifetime().count())),
      placing_(store, catalog, commits, timers_, counters_, linger),
      moves_(store, catalog, commits, timers_, placing_, counters_),
      transactions_(catalog, commits, placing_, counters_) {}

result<publish_outcome> intake::publish(message_view& message, const publish_request& request) {
  if (const auto checked = check(message); !checked) return checked.error();
  const auto traits = traits_of(message);
  if (!traits) return traits.error();
  const auto found = catalog_.find_open_route(message);
  if (!found) return found.error();
  const routing::route* const route = *found;
  if (request.producer) {
    const auto checked = producers_.check(*request.producer, request.sequence);
    if (!checked) return checked.error();
    if (*checked == topics::sequence_check::duplicate) {
      settle_duplicate(request);
      return publish_outcome::duplicate;
    }
  }
  if (route->empty() && request.delay.count() == 0) {
    ++counters_.unroutable;
    return publish_outcome::unroutable;
  }
  const auto time = commits_.timeline().read();
  message.is_time_estimated = !time.is_trusted;
  if (const auto planned = plan(message, request, *route, *traits); !planned) {
    if (const auto* const refusing = placing_.plan().refusing) moves_.bury_refused(*refusing, message);
    return planned.error();
  }
  return put(message, request, time.wall.count());
}

result<void> intake::plan(message_view& message, const publish_request& request, const routing::route& route,
                          const traits& traits) {
  if (request.delay.count() == 0) {
    return placing_.plan(message, route, traits, request.producer && producers_.is_on_its_way(*request.producer));
  }
  return placing_.plan_delayed(message, request.delay);
}

result<publish_outcome> intake::put(message_view& message, const publish_request& request, std::int64_t now_ms) {
  placing_.put(message, now_ms);
  message.due_ms = 0;
  const course course = placing_.plan().course;
  if (request.producer) {
    producers_.advance(*request.producer, request.sequence, commits_.gathering(), course != course::at_once);
  }
  ++counters_.published;
  commits_.answer_later(request.answer, course, placing_.plan().wait_max);
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
  if (const auto checked = placing_.check_overflow(partition, bytes.size(), batch->count); !checked) {
    ++counters_.refused_overflow;
    return checked.error();
  }
  if (durability.is_memory()) {
    if (const auto promised = placing_.promise_memory(course, bytes.size(), 1); !promised) return promised.error();
  }
  placing_.count_coming(partition, bytes.size());
  std::string owned(bytes);
  const offset_t base = partition.next;
  set_base_offset(owned, base);
  partition.next += batch->count;
  commits_.group_of(durability, course).append_batch(partition.stream, std::move(owned));
  counters_.published += batch->count;
  commits_.answer_later(answer, course, placing_.wait_of(durability));
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
    if (queue != nullptr && is_whole) keep_bounds(*queue, group);
  }
}

// What goes into the memory group is never void.
void intake::keep_bounds(queues::queue& queue, store::commit_group& group) {
  const bool may_be_void = &group != &store_.memory_group();
  const auto dropped = queue.bounds().keep(store_.read(), group, [&](const queues::held_message& message) {
    if (may_be_void) moves_.add_leaving(queue, message);
  });
  for (const queues::dropped_range& gone : dropped) moves_.lose(gone, group);
}

void intake::tick() {
  // A queue with appends at the writer is left out: these may still become void and their offsets be given again.
  for (const auto& [name, queue] : catalog_.queues().all()) {
    const bool is_whole =
        queue->definition().durability.is_memory() ? store_.in_memory().is_free(queue->stream(), 0) : !store_.is_busy();
    if (is_whole) keep_bounds(*queue, commits_.group_of(queue->definition().durability, course::at_once));
  }
  producers_.expire(commits_.gathering());
  moves_.tick();
}

void intake::void_appends() {
  for (const auto& [name, queue] : catalog_.queues().all()) queue->void_appends();
  for (const auto& [stream, partition] : catalog_.topics().partitions()) {
    const auto* const durable = store_.read().find(stream);
    partition->next = durable == nullptr ? 0 : durable->end;
  }
  producers_.restore_durable();
  moves_.void_appends();
}

}  // namespace tidegate::core::transfer
