#include "broker/core/queues/queue.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/log.hpp"

namespace tidegate::core::queues {
namespace {

// Of what a lowered bound asks for: the rest goes with the groups to come.
constexpr std::uint64_t dropped_per_group = 65'536;

// Of messages on their way, while none is.
constexpr std::size_t places_kept = 4'096;

}  // namespace

queue::queue(queue_definition definition) : definition_(std::move(definition)) {}

queue::queue(queue_definition definition, const store::stream_ledger& found)
    : definition_(std::move(definition)),
      next_(found.next),
      end_(found.next),
      cursor_(found.log_start),
      held_(found.next - found.log_start - found.acked.size()),
      held_bytes_(found.held_bytes),
      maybe_delivered_before_(found.maybe_delivered_before),
      settled_before_(found.acked),
      counted_(found.deliveries) {}

void queue::append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group) {
  const std::uint64_t bytes = message.body.size();
  group.append(stream(), next_++, timestamp_ms, message, record_form::queue);
  coming_.push_back(static_cast<std::uint32_t>(bytes));
  coming_bytes_ += bytes;
}

void queue::void_appends() {
  next_ = end_;
  cursor_ = std::min(cursor_, end_);
  coming_.clear();
  coming_bytes_ = 0;
  for (const auto& [offset, message] : std::exchange(leaving_, {})) {
    returned_.emplace(offset, message);
    ++held_;
    held_bytes_ += message.bytes;
  }
  begin_round();
}

void queue::advance(offset_t end) {
  if (!leaving_.empty()) leaving_ = decltype(leaving_)();  // gives its memory back
  if (end == end_) return;
  for (offset_t offset = std::max(end_, cursor_); offset < end; ++offset) {
    const std::uint32_t bytes = coming_.front();
    coming_.pop_front();
    coming_bytes_ -= bytes;
    held_bytes_ += bytes;
    ++held_;
  }
  end_ = end;
  if (coming_.empty() && coming_.capacity() > places_kept) coming_ = {};
  begin_round();
}

void queue::add_consumer(consumer& consumer) {
  consumers_.push_back(&consumer);
  begin_round();
}

bool queue::wants(const consumer& consumer) const {
  return ready() > 0 && consumer.unsettled < consumer.prefetch && unsettled_ < limits::unsettled_per_queue;
}

// In a round every consumer may take an equal part of what was ready when it began, so that none starves. Who had its
// part and asks for more begins the next.
void queue::begin_round() {
  ++round_;
  const std::size_t consumers = std::max<std::size_t>(1, consumers_.size());
  part_ = (ready() + consumers - 1) / consumers;
}

std::size_t queue::share_of(consumer& consumer) {
  if (consumer.round == round_ || part_ == 0) begin_round();
  consumer.round = round_;
  const std::size_t credit = consumer.prefetch - std::min<std::size_t>(consumer.prefetch, consumer.unsettled);
  const std::size_t room = limits::unsettled_per_queue - std::min(limits::unsettled_per_queue, unsettled_);
  return std::min({credit, room, part_});
}

result<pull_result> queue::pull(consumer& consumer, const store::reader& reader, store::commit_group& group,
                                const delivery_taker& take) {
  consumer.told = false;
  if (!wants(consumer)) return pull_result{};
  const std::size_t share = share_of(consumer);
  pulling pull{consumer, reader, group, take, share};
  if (const auto done = pull_returned(pull); !done) return done.error();
  if (pull.goes_on()) {
    if (const auto done = pull_fresh(pull); !done) return done.error();
  }
  consumer.told = wants(consumer);
  return pull_result{share - pull.left, consumer.told};
}

void queue::deliver(pulling& pull, const record_view& record) {
  std::uint32_t deliveries = 0;
  if (const auto returned = returned_.find(record.offset); returned != returned_.end()) {
    deliveries = returned->second.deliveries;
    returned_.erase(returned);
  } else if (const auto counted = counted_.find(record.offset); counted != counted_.end()) {
    deliveries = counted->second;
    counted_.erase(counted);
  }
  const bool redelivered = deliveries > 0 || record.offset < maybe_delivered_before_;
  const std::uint64_t bytes = record.body.size();
  --pull.left;
  if (pull.to.auto_ack) {
    let_go(record.offset, bytes, pull.group);
  } else {
    ++unsettled_;
    unsettled_bytes_ += bytes;
    ++pull.to.unsettled;
  }
  delivery_view delivery{0,          record.offset,       redelivered,
                         deliveries, record.timestamp_ms, to_message(record, record_form::queue)};
  pull.stopped = !pull.take(delivery);
}

result<void> queue::pull_returned(pulling& pull) {
  record_view record;
  while (pull.goes_on() && !returned_.empty()) {
    const offset_t wanted = returned_.begin()->first;
    const auto take = [&](const batch_view& batch) {
      record_reader records(batch);
      while (pull.goes_on() && records.next(record)) {
        if (returned_.contains(record.offset)) deliver(pull, record);
      }
      return false;
    };
    const auto scanned =
        pull.reader.scan(stream(), wanted, take, [&](offset_range damaged) { lose(damaged, pull.group); });
    if (!scanned) return scanned.error();
    if (returned_.contains(wanted)) lose({wanted, wanted + 1}, pull.group);
  }
  return {};
}

result<void> queue::pull_fresh(pulling& pull) {
  record_view record;
  const auto take = [&](const batch_view& batch) {
    record_reader records(batch);
    while (pull.goes_on() && records.next(record)) {
      if (record.offset < cursor_) continue;
      pass_to(record.offset, pull.group);
      cursor_ = record.offset + 1;
      if (!settled_before_.contains(record.offset)) deliver(pull, record);
    }
    return pull.goes_on();
  };
  const auto scanned =
      pull.reader.scan(stream(), cursor_, take, [&](offset_range damaged) { lose(damaged, pull.group); });
  if (!scanned) return scanned.error();
  if (pull.goes_on()) pass_to(end_, pull.group);
  settled_before_.erase_below(cursor_);
  return {};
}

// Over what the store did not give. That was settled before the start, or is lost with a part of the file.
void queue::pass_to(offset_t end, store::commit_group& group) {
  while (cursor_ < end) {
    const auto settled = settled_before_.range_from(cursor_);
    const offset_t begin = settled ? std::min(settled->begin, end) : end;
    if (begin > cursor_) lose({cursor_, begin}, group);
    if (settled) cursor_ = std::max(cursor_, std::min(settled->end, end));
  }
}

// A message that is held no longer.
void queue::let_go(offset_t offset, std::uint64_t bytes, store::commit_group& group) {
  --held_;
  held_bytes_ = held_ == 0 ? 0 : held_bytes_ - std::min(held_bytes_, bytes);
  group.ack(stream(), offset, bytes);
}

// A message that is held no longer, if the group's records are stored.
void queue::drop(offset_t offset, const handled& message, store::commit_group& group) {
  --held_;
  held_bytes_ = held_ == 0 ? 0 : held_bytes_ - std::min<std::uint64_t>(held_bytes_, message.bytes);
  group.ack_tied(stream(), {offset, offset + 1}, message.bytes);
  leaving_.emplace_back(offset, message);
}

// What fails its CRC or is missing never comes back: it is settled, so that the queue goes on, and the loss ledger says
// so. How long it was can no longer be told.
void queue::lose(offset_range damaged, store::commit_group& group) {
  if (damaged.begin > cursor_) pass_to(damaged.begin, group);  // what is missing before it is lost as well
  store::loss_record lost{store::loss_reason::damaged, stream(), {}, damaged.begin, damaged.end};
  for (offset_t offset = damaged.begin; offset < damaged.end; ++offset) {
    const bool was_fresh = offset >= cursor_ && !settled_before_.contains(offset);
    if (returned_.erase(offset) == 0 && !was_fresh) continue;
    ++lost.records;
    let_go(offset, held_bytes_ / held_, group);
  }
  cursor_ = std::max(cursor_, damaged.end);
  if (lost.records == 0) return;
  lost.unread = lost.records;
  log::error("queue {}: {} messages at offsets {} to {} are damaged or missing, and dropped", name(), lost.records,
             damaged.begin, damaged.end - 1);
  group.lose(std::move(lost));
}

void queue::take_back(const held_message& message) {
  TIDEGATE_EXPECT(unsettled_ > 0);
  --unsettled_;
  unsettled_bytes_ -= message.bytes;
}

void queue::acknowledge(const held_message& message, store::commit_group& group) {
  take_back(message);
  let_go(message.offset, message.bytes, group);
}

void queue::discard(const held_message& message, store::commit_group& group) {
  ++discarded_;
  acknowledge(message, group);
}

void queue::requeue(const held_message& message, store::commit_group& group) {
  take_back(message);
  const handled back{message.deliveries + 1, message.bytes};
  returned_.emplace(message.offset, back);
  group.count_delivery(stream(), message.offset, back.deliveries);
}

void queue::remove_consumer(consumer& consumer) {
  std::erase(consumers_, &consumer);
  begin_round();
}

bool queue::is_over(std::uint64_t messages, std::uint64_t bytes) const {
  const bool counts = definition_.messages_max != 0, weighs = definition_.bytes_max != 0;
  return (counts && messages > definition_.messages_max) || (weighs && bytes > definition_.bytes_max);
}

bool queue::is_over() const { return is_over(ready() + coming_.size(), ready_bytes() + coming_bytes_); }

result<void> queue::check_room(std::uint64_t bytes) const {
  if (definition_.bytes_max != 0 && bytes > definition_.bytes_max) {
    return error{errc::too_large,
                 fmt::format("a message of {} bytes for queue '{}', whose bytes_max is {}", bytes, name(),
                             definition_.bytes_max),
                 "body"};
  }
  const std::uint64_t messages = ready() + coming_.size(), held = ready_bytes() + coming_bytes_;
  if (definition_.overflow != overflow::reject || !is_over(messages + 1, held + bytes)) return {};
  return error{errc::store_full,
               fmt::format("queue '{}' has {} messages of {} bytes ready, as much as it may, and rejects more: "
                           "consume, or raise its messages_max or bytes_max",
                           name(), messages, held),
               "queue"};
}

departures queue::keep_bounds(const store::reader& reader, store::commit_group& group) {
  departures gone;
  if (definition_.overflow == overflow::reject || !is_over()) return gone;
  const bool counts = definition_.messages_max != 0 && ready() + coming_.size() > definition_.messages_max;
  gone.reason = counts ? store::loss_reason::messages_max : store::loss_reason::bytes_max;
  gone.stream = stream();
  drop_oldest(reader, group, gone);
  if (gone.records > 0) begin_round();
  return gone;
}

// As they would be delivered: what came back, what was never out, and last what this very group brings.
void queue::drop_oldest(const store::reader& reader, store::commit_group& group, departures& gone) {
  const auto goes_on = [&] { return is_over() && gone.records < dropped_per_group; };
  const auto count = [&](offset_t offset, std::uint64_t bytes) {
    if (gone.records++ == 0) gone.first = offset;
    gone.end = offset + 1;
    gone.bytes += bytes;
  };
  while (goes_on() && !returned_.empty()) {
    const auto oldest = returned_.begin();
    count(oldest->first, oldest->second.bytes);
    drop(oldest->first, oldest->second, group);
    returned_.erase(oldest);
  }
  record_view record;
  const auto take = [&](const batch_view& batch) {
    record_reader records(batch);
    while (goes_on() && records.next(record)) {
      if (record.offset < cursor_) continue;
      pass_to(record.offset, group);
      cursor_ = record.offset + 1;
      if (settled_before_.contains(record.offset)) continue;
      handled dropped{0, static_cast<std::uint32_t>(record.body.size())};
      if (const auto counted = counted_.extract(record.offset)) dropped.deliveries = counted.mapped();
      count(record.offset, dropped.bytes);
      drop(record.offset, dropped, group);
    }
    return goes_on();
  };
  if (goes_on() && cursor_ < end_) {
    const auto scanned = reader.scan(stream(), cursor_, take, [&](offset_range damaged) { lose(damaged, group); });
    if (!scanned) return log::error("queue {}: {}", name(), scanned.error().text);
    if (goes_on()) pass_to(end_, group);
    settled_before_.erase_below(cursor_);
  }
  while (goes_on() && !coming_.empty()) {
    const std::uint32_t bytes = coming_.front();
    cursor_ = std::max(cursor_, end_);
    count(cursor_, bytes);
    group.ack_tied(stream(), {cursor_, cursor_ + 1}, bytes);
    ++cursor_;
    coming_.pop_front();
    coming_bytes_ -= bytes;
  }
}

}  // namespace tidegate::core::queues
