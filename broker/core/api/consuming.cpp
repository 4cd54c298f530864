#include "broker/core/api/consuming.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tidegate::core::api {

result<queues::queue*> consuming::find(session_id session, std::string_view queue) {
  queues::queue* const found = catalog_.queues().find(queue);
  if (found == nullptr) {
    return error{errc::not_found, fmt::format("no queue '{}'; declare it first", queue), "queue"};
  }
  if (const auto checked = catalog::queue_registry::check_usable(*found, session); !checked) return checked.error();
  catalog_.queues().note_used(*found);
  return found;
}

consuming::channel& consuming::channel_of(session_id session) {
  TIDEGATE_EXPECT(notices_.knows(session));
  auto& channel = channels_[session];
  if (!channel) channel = std::make_unique<consuming::channel>();
  return *channel;
}

result<consumer_id> consuming::consume(session_id session, std::string_view queue, const consume_options& options) {
  if (replies::is_name(queue)) return consume_replies(session, options);
  const auto found = find(session, queue);
  if (!found) return found.error();
  const auto& others = (*found)->consumers();
  if (!others.empty() && (options.exclusive || others.front()->is_exclusive)) {
    return error{
        errc::not_allowed,
        fmt::format("queue '{}' has {}", queue,
                    options.exclusive ? "consumers already, so none can be exclusive" : "an exclusive consumer"),
        "exclusive"};
  }
  channel& channel = channel_of(session);
  if (channel.consumers.size() >= limits::consumers_per_connection) {
    return error{errc::limit,
                 fmt::format("{} consumers on one connection are the limit", limits::consumers_per_connection)};
  }
  const consumer_id id{next_consumer_++};
  auto made = std::make_unique<queues::consumer>();
  made->id = id;
  made->session = session;
  made->source = *found;
  made->prefetch = options.prefetch == 0 ? limits::prefetch_max : std::min(options.prefetch, limits::prefetch_max);
  made->auto_ack = options.auto_ack;
  made->is_exclusive = options.exclusive;
  made->priority = options.priority;
  (*found)->add_consumer(*made);
  channel.consumers.push_back(id);
  consumers_.emplace(id, std::move(made));
  wake(**found);
  return id;
}

result<consumer_id> consuming::consume_replies(session_id session, const consume_options& options) {
  channel_of(session);  // for the numbers of deliveries
  const consumer_id id{next_consumer_};
  if (const auto opened = replies_.open(session, id, options.auto_ack); !opened) return opened.error();
  ++next_consumer_;
  return id;
}

void consuming::cancel(consumer_id id, leftovers leftovers) {
  if (replies_.close(id)) return;
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return;
  const auto consumer = std::move(found->second);
  consumers_.erase(found);
  queues::queue& queue = *consumer->source;
  channel& channel = *channels_.at(consumer->session);
  std::erase(channel.consumers, id);
  queue.remove_consumer(*consumer);
  catalog_.queues().note_used(queue);
  if (leftovers == leftovers::requeue && consumer->unsettled > 0) {
    channel.out.take_if([&](const delivery& one) { return one.consumer == consumer.get(); },
                        [&](const delivery& one) { settle(queue, one.message, outcome::requeue); });
  }
  channel.out.forget(*consumer);
  wake_or_remove(queue);
}

void consuming::wake_or_remove(queues::queue& queue) {
  if (queue.is_done()) return remove(queue);
  wake(queue);
}

void consuming::remove(queues::queue& queue) {
  while (!queue.consumers().empty()) {
    queues::consumer& consumer = *queue.consumers().back();
    const session_id session = consumer.session;
    const consumer_id id = consumer.id;
    queue.remove_consumer(consumer);
    std::erase(channels_.at(session)->consumers, id);
    notices_.cancelled(session, id);
    consumers_.erase(id);
  }
  for (const auto& [session, channel] : channels_) {
    channel->out.take_if([&](const delivery& one) { return one.from == &queue; }, [](const delivery&) {});
  }
  moves_.forget(queue);
  catalog_.remove_queue(queue);
}

void consuming::end(session_id session) {
  replies_.end(session);
  end_channel(session);
  for (queues::queue* const queue : catalog_.queues().owned_by(session)) remove(*queue);
}

void consuming::end_channel(session_id session) {
  const auto found = channels_.find(session);
  if (found == channels_.end()) return;
  const auto channel = std::move(found->second);
  channels_.erase(found);
  std::vector<queues::queue*> touched;
  for (const consumer_id id : channel->consumers) {
    const auto consumer = consumers_.find(id);
    touched.push_back(consumer->second->source);
    consumer->second->source->remove_consumer(*consumer->second);
    catalog_.queues().note_used(*consumer->second->source);
    consumers_.erase(consumer);
  }
  channel->out.take_through(channel->out.last(), [&](const delivery& one) {
    settle(*one.from, one.message, outcome::requeue);
    touched.push_back(one.from);
  });
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (queues::queue* const queue : touched) wake_or_remove(*queue);
}

result<pull_result> consuming::pull(consumer_id id, const delivery_taker& take) {
  const auto found = consumers_.find(id);
  if (found == consumers_.end()) return pull_replies(id, take);
  queues::consumer& consumer = *found->second;
  queues::queue& queue = *consumer.source;
  deliveries& out = channels_.at(consumer.session)->out;
  const auto number = [&](delivery_view& delivery, const queues::held_message& held) {
    delivery.number = consumer.auto_ack ? out.count() : out.add(queue, &consumer, held);
    return take(delivery);
  };
  const auto pulled = queue.pull(consumer, moves_.around(queue), number);
  if (!pulled) return pulled;
  note_pulled(queue, pulled->count, consumer.auto_ack);
  // Others were told of no more messages than there were, and this consumer cannot take what is left.
  if (!consumer.told) wake(queue);
  return pulled;
}

pull_result consuming::pull_replies(consumer_id id, const delivery_taker& take) {
  const auto session = replies_.session_of(id);
  if (!session) return {};
  deliveries& out = channels_.at(*session)->out;
  return replies_.pull(id, [&](delivery_view& delivery) {
    delivery.number = out.count();
    return take(delivery);
  });
}

void consuming::note_pulled(const queues::queue& queue, std::uint64_t count, bool auto_ack) {
  if (!commits_.gathering().contents().losses.empty()) commits_.note(commits::acknowledgement_delay_max);
  counters_.delivered += count;
  if (!auto_ack || count == 0) return;
  counters_.acknowledged += count;
  note_settled(queue);
}

result<std::optional<std::uint64_t>> consuming::get(session_id session, std::string_view queue, bool auto_ack,
                                                    const delivery_taker& take) {
  const auto found = find(session, queue);
  if (!found) return found.error();
  queues::queue& from = **found;
  deliveries& out = channel_of(session).out;
  const auto number = [&](delivery_view& delivery, const queues::held_message& held) {
    delivery.number = auto_ack ? out.count() : out.add(from, nullptr, held);
    return take(delivery);
  };
  const auto got = from.get(auto_ack, moves_.around(from), number);
  if (!got) return got.error();
  note_pulled(from, *got ? 1 : 0, auto_ack);
  return *got ? std::optional(from.ready()) : std::nullopt;
}

result<std::uint64_t> consuming::purge(std::string_view queue, const receipt& answer) {
  const auto found = find(answer.session, queue);
  if (!found) return found.error();
  const std::uint64_t purged = (*found)->purge(group_of(**found));
  if ((*found)->definition().durability.is_memory()) {
    commits_.answer_later(answer, commits::course::at_once, milliseconds(0));
  } else {
    catalog_.settle(answer);
  }
  return purged;
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

result<bool> consuming::check(session_id session, std::span<const settlement> settlements) const {
  const auto channel = channels_.find(session);
  bool is_on_flash = false;
  std::set<std::uint64_t> settled;
  for (const settlement& one : settlements) {
    bool is_there = false;
    const auto look = [&](const delivery& delivery) {
      const bool is_meant = delivery.number == one.number || (one.multiple && delivery.number < one.number);
      if (!is_meant || !settled.insert(delivery.number).second) return;
      is_there = true;
      is_on_flash = is_on_flash || !delivery.from->definition().durability.is_memory();
    };
    if (channel != channels_.end()) channel->second->out.each_from(one.multiple ? 0 : one.number, one.number, look);
    const std::uint64_t last = channel == channels_.end() ? 0 : channel->second->out.last();
    if (one.multiple ? one.number <= last : is_there) continue;
    return error{errc::not_found, fmt::format("delivery {} is not unsettled on this connection", one.number), "tag"};
  }
  return is_on_flash;
}

void consuming::settle_with(commits::course course, session_id session, const settlement& settlement) {
  const auto channel = channels_.find(session);
  if (channel == channels_.end()) return;
  const auto settle_one = [&](const delivery& one) { settle(one, settlement.outcome, course); };
  if (settlement.multiple) return channel->second->out.take_through(settlement.number, settle_one);
  if (const auto taken = channel->second->out.take(settlement.number)) settle_one(*taken);
}

void consuming::settle(const delivery& delivery, outcome outcome, std::optional<commits::course> with) {
  queues::queue& queue = *delivery.from;
  const bool was_at_limit = queue.figures().unsettled >= limits::unsettled_per_queue;
  if (delivery.consumer != nullptr) --delivery.consumer->unsettled;
  if (outcome == outcome::ack) ++counters_.acknowledged;
  settle(queue, delivery.message, outcome, with);
  // An acknowledgement gives credit to its own consumer alone, unless the queue was at its limit of unsettled
  // deliveries.
  if (outcome == outcome::requeue || was_at_limit) {
    wake(queue);
  } else if (delivery.consumer != nullptr) {
    tell(*delivery.consumer);
  }
}

void consuming::settle(queues::queue& queue, const queues::held_message& message, outcome outcome,
                       std::optional<commits::course> with) {
  // An acknowledgement ends the message, whatever the time.
  const auto now_ms = outcome == outcome::ack ? 0 : static_cast<std::uint64_t>(commits_.timeline().lifetime().count());
  store::commit_group& group =
      commits_.group_of(queue.definition().durability, with.value_or(commits::course::at_once));
  if (const auto departure = queue.settle(message, outcome, now_ms, group, with.has_value())) {
    moves_.depart(queue, *departure);
  } else if (with && *with != commits::course::at_once && outcome != outcome::requeue) {
    moves_.add_leaving(queue, message);
  }
  note_settled(queue);
}

// Keeps every consumer that may pull notified: called for each message that becomes ready, and for each credit.
void consuming::tell(queues::consumer& consumer) {
  if (consumer.told || !consumer.source->wants(consumer)) return;
  consumer.told = true;
  notices_.deliverable(consumer.session, consumer.id);
}

void consuming::wake(queues::queue& queue) {
  queue.wake([this](queues::consumer& consumer) { tell(consumer); });
}

store::commit_group& consuming::group_of(const queues::queue& queue) {
  return commits_.group_of(queue.definition().durability, commits::course::at_once);
}

}  // namespace tidegate::core::api
