#include "broker/core/api/consuming.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tidegate::core::api {

result<consumer_id> consuming::consume(session_id session, std::string_view queue, std::uint32_t prefetch,
                                       bool auto_ack) {
  TIDEGATE_EXPECT(notices_.knows(session));
  queues::queue* const found = catalog_.queues().find(queue);
  if (found == nullptr) {
    return error{errc::not_found, fmt::format("no queue '{}'; declare it first", queue), "queue"};
  }
  auto& channel = channels_[session];
  if (!channel) channel = std::make_unique<consuming::channel>();
  if (channel->consumers.size() >= limits::consumers_per_connection) {
    return error{errc::limit,
                 fmt::format("{} consumers on one connection are the limit", limits::consumers_per_connection)};
  }
  const consumer_id id{next_consumer_++};
  auto made = std::make_unique<queues::consumer>();
  made->id = id;
  made->session = session;
  made->source = found;
  made->prefetch = prefetch == 0 ? limits::prefetch_max : std::min(prefetch, limits::prefetch_max);
  made->auto_ack = auto_ack;
  found->add_consumer(*made);
  channel->consumers.push_back(id);
  consumers_.emplace(id, std::move(made));
  wake(*found);
  return id;
}

void consuming::cancel(consumer_id id, leftovers leftovers) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return;
  const auto consumer = std::move(found->second);
  consumers_.erase(found);
  queues::queue& queue = *consumer->source;
  channel& channel = *channels_.at(consumer->session);
  std::erase(channel.consumers, id);
  queue.remove_consumer(*consumer);
  if (leftovers == leftovers::requeue && consumer->unsettled > 0) {
    channel.out.take_if([&](const delivery& one) { return one.consumer == consumer.get(); },
                        [&](const delivery& one) { requeue(one); });
    note_settled(queue);
  }
  channel.out.forget(*consumer);
  wake(queue);
}

void consuming::end(session_id session) {
  const auto found = channels_.find(session);
  if (found == channels_.end()) return;
  const auto channel = std::move(found->second);
  channels_.erase(found);
  std::vector<queues::queue*> touched;
  for (const consumer_id id : channel->consumers) {
    const auto consumer = consumers_.find(id);
    touched.push_back(consumer->second->source);
    consumer->second->source->remove_consumer(*consumer->second);
    consumers_.erase(consumer);
  }
  channel->out.take_through(channel->out.last(), [&](const delivery& one) {
    requeue(one);
    note_settled(*one.from);
    touched.push_back(one.from);
  });
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (queues::queue* const queue : touched) wake(*queue);
}

result<pull_result> consuming::pull(consumer_id id, const delivery_taker& take) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return pull_result{};
  queues::consumer& consumer = *found->second;
  queues::queue& queue = *consumer.source;
  deliveries& out = channels_.at(consumer.session)->out;
  const auto number = [&](delivery_view& delivery) {
    const auto bytes = static_cast<std::uint32_t>(delivery.message.body.size());
    delivery.number =
        consumer.auto_ack ? out.count() : out.add(consumer, {delivery.offset, bytes, delivery.deliveries});
    return take(delivery);
  };
  const auto pulled = queue.pull(consumer, store_.read(), group_of(queue), number);
  if (!pulled) return pulled;
  if (!commits_.gathering().contents().losses.empty()) commits_.note(commits::acknowledgement_delay_max);
  counters_.delivered += pulled->count;
  if (consumer.auto_ack && pulled->count > 0) {
    counters_.acknowledged += pulled->count;
    note_settled(queue);
  }
  return pulled;
}

bool consuming::settle(session_id session, std::uint64_t number, outcome outcome) {
  const auto channel = channels_.find(session);
  if (channel == channels_.end()) return false;
  const auto taken = channel->second->out.take(number);
  if (!taken) return false;
  settle(*taken, outcome);
  return true;
}

bool consuming::settle_through(session_id session, std::uint64_t number, outcome outcome) {
  const auto channel = channels_.find(session);
  if (channel == channels_.end() || number > channel->second->out.last()) return false;
  channel->second->out.take_through(number, [&](const delivery& one) { settle(one, outcome); });
  return true;
}

void consuming::settle(const delivery& delivery, outcome outcome) {
  queues::queue& queue = *delivery.from;
  const bool was_at_limit = queue.unsettled() >= limits::unsettled_per_queue;
  if (delivery.consumer != nullptr) --delivery.consumer->unsettled;
  switch (outcome) {
    case outcome::ack:
      queue.acknowledge(delivery.message, group_of(queue));
      ++counters_.acknowledged;
      break;
    case outcome::discard: queue.discard(delivery.message, group_of(queue)); break;
    case outcome::requeue: queue.requeue(delivery.message, group_of(queue)); break;
  }
  note_settled(queue);
  // An acknowledgement gives credit to its own consumer alone, unless the queue was at its limit of unsettled
  // deliveries.
  if (outcome == outcome::requeue || was_at_limit) {
    wake(queue);
  } else if (delivery.consumer != nullptr) {
    tell(*delivery.consumer);
  }
}

void consuming::requeue(const delivery& delivery) {
  delivery.from->requeue(delivery.message, group_of(*delivery.from));
}

// Keeps every consumer that may pull notified: called for each message that becomes ready, and for each credit.
void consuming::tell(queues::consumer& consumer) {
  if (consumer.told || !consumer.source->wants(consumer)) return;
  consumer.told = true;
  notices_.deliverable(consumer.session, consumer.id);
}

void consuming::wake(queues::queue& queue) {
  for (queues::consumer* const consumer : queue.consumers()) tell(*consumer);
}

void consuming::forget(const queues::queue& queue) {
  for (const auto& [session, channel] : channels_) {
    channel->out.take_if([&](const delivery& one) { return one.from == &queue; }, [](const delivery&) {});
  }
}

store::commit_group& consuming::group_of(const queues::queue& queue) {
  return commits_.group_of(queue.definition().durability, commits::course::at_once);
}

}  // namespace tidegate::core::api
