#include "broker/core/queues/queue.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tidegate::core::queues {
namespace {

// Most messages that keep_bounds() drops in one group. After a bound was lowered, later groups drop the rest.
constexpr std::uint64_t dropped_per_group = 65'536;

}  // namespace

queue::queue(queue_definition definition, session_id owner)
    : definition_(std::move(definition)), owner_(owner), lane_(definition_.name, definition_.stream) {}

queue::queue(queue_definition definition, const store::stream_ledger& found)
    : definition_(std::move(definition)), lane_(definition_.name, definition_.stream, found) {}

void queue::void_appends() {
  lane_.void_appends();
  begin_round();
}

void queue::advance(offset_t end) {
  if (lane_.advance(end)) begin_round();
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
  return ready() > 0 && consumer.has_credit() && unsettled_ < limits::unsettled_per_queue &&
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
  const std::size_t room = limits::unsettled_per_queue - std::min<std::size_t>(limits::unsettled_per_queue, unsettled_);
  return std::min({credit, room, part_});
}

result<pull_result> queue::pull(consumer& consumer, const store::reader& reader, store::commit_group& group,
                                const delivery_taker& take) {
  consumer.told = false;
  if (!wants(consumer)) return pull_result{};
  const std::size_t share = share_of(consumer);
  std::size_t count = 0;
  delivery_view delivery;
  const auto deliver = [&](const record_view& record, std::uint32_t deliveries, bool is_redelivered) {
    ++count;
    if (!consumer.auto_ack) ++consumer.unsettled;
    count_delivery(record, consumer.auto_ack, group);
    fill(delivery, record, deliveries, is_redelivered);
    return take(delivery) && count < share;
  };
  if (const auto taken = lane_.take(reader, group, deliver); !taken) return taken.error();
  if (count > 0) line_.served(consumer);
  consumer.told = wants(consumer);
  return pull_result{count, consumer.told};
}

void queue::count_delivery(const record_view& record, bool auto_ack, store::commit_group& group) {
  if (auto_ack) return lane_.acknowledge(record.offset, record.body.size(), group);
  ++unsettled_;
  unsettled_bytes_ += record.body.size();
}

void queue::fill(delivery_view& delivery, const record_view& record, std::uint32_t deliveries,
                 bool is_redelivered) const {
  delivery.offset = record.offset;
  delivery.redelivered = is_redelivered;
  delivery.deliveries = deliveries;
  delivery.timestamp_ms = record.timestamp_ms;
  read_message(record, record_form::queue, delivery.message);
}

result<bool> queue::get(bool auto_ack, const store::reader& reader, store::commit_group& group,
                        const delivery_taker& take) {
  if (ready() == 0) return false;
  if (unsettled_ >= limits::unsettled_per_queue) {
    return error{errc::limit,
                 fmt::format("queue '{}' has {} deliveries that are not settled, the limit", name(), unsettled_)};
  }
  bool is_found = false;
  delivery_view delivery;
  const auto deliver = [&](const record_view& record, std::uint32_t deliveries, bool is_redelivered) {
    is_found = true;
    count_delivery(record, auto_ack, group);
    fill(delivery, record, deliveries, is_redelivered);
    take(delivery);
    return false;
  };
  if (const auto taken = lane_.take(reader, group, deliver); !taken) return taken.error();
  return is_found;
}

std::uint64_t queue::purge(store::commit_group& group) {
  const std::uint64_t purged = lane_.purge(unsettled_, unsettled_bytes_, group);
  begin_round();
  return purged;
}

void queue::settle(const held_message& message, outcome outcome, store::commit_group& group) {
  TIDEGATE_EXPECT(unsettled_ > 0);
  --unsettled_;
  unsettled_bytes_ -= message.bytes;
  if (outcome == outcome::discard) ++discarded_;
  if (outcome == outcome::requeue) return lane_.put_back(message, group);
  lane_.acknowledge(message.offset, message.bytes, group);
}

bool queue::is_over(std::uint64_t messages, std::uint64_t bytes) const {
  const bool counts = definition_.messages_max != 0, weighs = definition_.bytes_max != 0;
  return (counts && messages > definition_.messages_max) || (weighs && bytes > definition_.bytes_max);
}

bool queue::is_over() const { return is_over(ready() + lane_.coming(), ready_bytes() + lane_.coming_bytes()); }

result<void> queue::check_room(std::uint64_t bytes) const {
  if (definition_.bytes_max != 0 && bytes > definition_.bytes_max) {
    return error{errc::too_large,
                 fmt::format("a message of {} bytes for queue '{}', whose bytes_max is {}", bytes, name(),
                             definition_.bytes_max),
                 "body"};
  }
  if (definition_.overflow != overflow::reject) return {};
  const std::uint64_t messages = ready() + lane_.coming(), held = ready_bytes() + lane_.coming_bytes();
  if (!is_over(messages + 1, held + bytes)) return {};
  return error{errc::target_full,
               fmt::format("queue '{}' has {} messages of {} bytes ready, as much as it may, and rejects more: "
                           "consume, or raise its messages_max or bytes_max",
                           name(), messages, held),
               "queue"};
}

departures queue::keep_bounds(const store::reader& reader, store::commit_group& group) {
  departures gone;
  if (definition_.overflow == overflow::reject || !is_over()) return gone;
  const bool counts = definition_.messages_max != 0 && ready() + lane_.coming() > definition_.messages_max;
  gone.reason = counts ? store::loss_reason::messages_max : store::loss_reason::bytes_max;
  gone.stream = stream();
  lane_.drop_oldest(
      reader, group, [&] { return is_over() && gone.records < dropped_per_group; }, gone);
  if (gone.records > 0) begin_round();
  return gone;
}

}  // namespace tidegate::core::queues
