#include "broker/core/queues/queue.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tidegate::core::queues {
namespace {

// Most expired messages that one pull or get comes across. Alarms take most of them before.
constexpr std::size_t expired_per_pull = 1'024;

}  // namespace

queue::queue(queue_definition definition, session_id owner)
    : definition_(std::move(definition)), owner_(owner), lanes_(definition_.name) {
  lanes_.add(0, definition_.stream);
}

queue::queue(queue_definition definition, const store::stream_ledger& found)
    : definition_(std::move(definition)), lanes_(definition_.name) {
  lanes_.add(0, definition_.stream, &found);
}

void queue::void_appends() {
  for (lane* const lane : lanes_.all()) lane->void_appends();
  begin_round();
}

void queue::advance(stream_id stream, offset_t end) {
  if (lanes_.find(stream)->advance(end)) begin_round();
}

void queue::add_consumer(consumer& consumer) {
  line_.add(consumer);
  was_consumed_ = true;
  begin_round();
}

void queue::remove_consumer(consumer& consumer) {
  line_.remove(consumer);
  begin_round();
}

bool queue::wants(const consumer& consumer) const {
  return ready() > 0 && consumer.has_credit() && lanes_.out() < limits::unsettled_per_queue &&
         line_.may_take(consumer, definition_.single_active);
}

void queue::wake(const std::function<void(consumer&)>& tell) {
  if (ready() == 0) return;
  line_.wake(
      ready(), [this](const consumer& consumer) { return wants(consumer); }, tell);
}

// In a round every consumer may pull an equal part of the messages that were ready when the round started, so that none
// starves. A consumer that has had its part and asks for more starts the next round.
void queue::begin_round() {
  ++round_;
  const std::size_t consumers = std::max<std::size_t>(1, line_.consumers().size());
  part_ = (ready() + consumers - 1) / consumers;
}

std::size_t queue::share_of(consumer& consumer) {
  if (consumer.round == round_ || part_ == 0) begin_round();
  consumer.round = round_;
  const std::size_t credit = consumer.prefetch - std::min<std::size_t>(consumer.prefetch, consumer.unsettled);
  const std::size_t room =
      limits::unsettled_per_queue - std::min<std::size_t>(limits::unsettled_per_queue, lanes_.out());
  return std::min({credit, room, part_});
}

result<pull_result> queue::pull(consumer& consumer, const surroundings& around, const delivery_taker& take) {
  consumer.told = false;
  if (!wants(consumer)) return pull_result{};
  handing handing{around, take, &consumer, consumer.auto_ack, share_of(consumer)};
  if (const auto done = hand_out(handing); !done) return done.error();
  if (handing.count > 0) line_.served(consumer);
  // A pull that came across expired messages alone is over for this turn: the consumer is told again.
  consumer.told = handing.count > 0 && wants(consumer);
  return pull_result{handing.count, consumer.told};
}

result<void> queue::hand_out(handing& handing) {
  for (std::size_t level = lanes_.count(); level-- > 0 && handing.goes_on;) {
    lane* const lane = lanes_.find(static_cast<std::uint8_t>(level));
    if (lane == nullptr || lane->ready().messages == 0) continue;
    const auto take = [&](const record_view& record, std::uint32_t deliveries, bool is_redelivered) {
      return hand_out(handing, *lane, record, deliveries, is_redelivered);
    };
    if (const auto taken = lane->take(handing.around.reader, handing.around.group, take); !taken) return taken;
  }
  return {};
}

bool queue::hand_out(handing& handing, lane& lane, const record_view& record, std::uint32_t deliveries,
                     bool is_redelivered) {
  message_view& message = delivery_.message;
  read_message(record, record_form::queue, message);
  const held_message held = held_of(record, message, deliveries, lane.level());
  if (held.due_ms != 0 && held.due_ms <= handing.around.now_ms) {
    handing.around.depart({held, death_reason::expired}, message);
    return handing.goes_on = ++handing.expired < expired_per_pull;
  }
  delivery_.offset = record.offset;
  delivery_.deliveries = held.deliveries;
  delivery_.redelivered = is_redelivered || held.deliveries > 0;
  delivery_.timestamp_ms = record.timestamp_ms;
  ++handing.count;
  if (handing.to != nullptr && !handing.auto_ack) ++handing.to->unsettled;
  if (handing.auto_ack) lane.acknowledge(held, handing.around.group);
  return handing.goes_on = handing.take(delivery_, held) && handing.count < handing.share;
}

result<bool> queue::get(bool auto_ack, const surroundings& around, const delivery_taker& take) {
  if (ready() == 0) return false;
  if (lanes_.out() >= limits::unsettled_per_queue) {
    return error{errc::limit,
                 fmt::format("queue '{}' has {} deliveries that are not settled, the limit", name(), lanes_.out())};
  }
  handing handing{around, take, nullptr, auto_ack};
  if (const auto done = hand_out(handing); !done) return done.error();
  return handing.count > 0;
}

result<bool> queue::peek(message_place& place, const store::reader& reader, std::uint64_t now_ms,
                         const std::function<void(delivery_view&)>& take) const {
  bool is_found = false;
  for (std::size_t level = std::min<std::size_t>(lanes_.count(), place.level + 1u); level-- > 0 && !is_found;) {
    const lane* const lane = lanes_.find(static_cast<std::uint8_t>(level));
    if (level != place.level) place = {static_cast<std::uint8_t>(level), 0};
    if (lane == nullptr || lane->ready().messages == 0) continue;
    delivery_view shown;
    const auto show = [&](const record_view& record, std::uint32_t deliveries, bool is_redelivered) {
      read_message(record, record_form::queue, shown.message);
      const held_message held = held_of(record, shown.message, deliveries, lane->level());
      if (held.due_ms != 0 && held.due_ms <= now_ms) return true;
      shown.offset = record.offset;
      shown.deliveries = held.deliveries;
      shown.redelivered = is_redelivered || held.deliveries > 0;
      shown.timestamp_ms = record.timestamp_ms;
      place.next = record.offset + 1;
      is_found = true;
      take(shown);
      return false;
    };
    if (const auto looked = lane->look(reader, place.next, show); !looked) return looked.error();
  }
  return is_found;
}

result<void> queue::expire(stream_id stream, const std::vector<offset_t>& offsets, const surroundings& around) {
  lane& lane = *lanes_.find(stream);
  message_view message;
  const auto is_due = [&](const record_view& record) {
    read_message(record, record_form::queue, message);
    return message.due_ms != 0 && message.due_ms <= around.now_ms;
  };
  const auto depart = [&](const record_view& record, std::uint32_t deliveries, bool) {
    around.depart({held_of(record, message, deliveries, lane.level()), death_reason::expired}, message);
    return true;
  };
  return lane.take_at(offsets, around.reader, is_due, depart);
}

std::uint64_t queue::purge(store::commit_group& group) {
  std::uint64_t purged = 0;
  for (lane* const lane : lanes_.all()) purged += lane->purge(group);
  begin_round();
  return purged;
}

std::optional<departure> queue::settle(const held_message& message, outcome outcome, std::uint64_t now_ms,
                                       store::commit_group& group, bool is_tied) {
  lane& lane = lanes_.of(message);
  TIDEGATE_EXPECT(lane.out() > 0);
  if (outcome != outcome::ack) {
    if (outcome == outcome::discard) ++discarded_;
    if (auto departure = departs(message, outcome, now_ms)) return departure;
    if (outcome == outcome::requeue) {
      lane.put_back(message, group);
      return std::nullopt;
    }
  }
  is_tied ? lane.leave(message, group) : lane.acknowledge(message, group);
  return std::nullopt;
}

std::optional<departure> queue::departs(const held_message& message, outcome outcome, std::uint64_t now_ms) const {
  const bool is_expired = message.due_ms != 0 && message.due_ms <= now_ms;
  if (outcome == outcome::discard) {
    if (!definition_.dead_letter_exchange) return std::nullopt;
    return departure{message, death_reason::rejected};
  }
  const std::uint32_t limit = definition_.delivery_limit.value_or(limits::delivery_limit);
  if (is_expired) return departure{message, death_reason::expired};
  if (limit != 0 && message.deliveries >= limit) return departure{message, death_reason::delivery_limit};
  if (definition_.retry_delay.count() == 0) return std::nullopt;
  return departure{message, death_reason::rejected, true};
}

}  // namespace tidegate::core::queues
