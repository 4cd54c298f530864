#include "broker/core/queue.hpp"

#include <algorithm>

#include "broker/base/log.hpp"

namespace tidegate::core {

queue::queue(std::string name, stream_id stream) : name_(std::move(name)), stream_(stream) {}

queue::queue(std::string name, stream_id stream, const store::stream_ledger& found)
    : name_(std::move(name)),
      stream_(stream),
      next_(found.next),
      end_(found.next),
      cursor_(found.log_start),
      held_(found.next - found.log_start - found.acked.size()),
      maybe_delivered_before_(found.maybe_delivered_before),
      settled_before_(found.acked),
      counted_(found.deliveries) {}

void queue::advance(offset_t end) {
  if (end == end_) return;
  held_ += end - end_;
  end_ = end;
  begin_round();
}

void queue::add_consumer(consumer& consumer) {
  consumers_.push_back(&consumer);
  begin_round();
}

bool queue::wants(const consumer& consumer) const {
  return ready() > 0 && consumer.unsettled.size() < consumer.prefetch &&
         unsettled_.size() < limits::unsettled_per_queue;
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
  const std::size_t credit = consumer.prefetch - std::min<std::size_t>(consumer.prefetch, consumer.unsettled.size());
  const std::size_t room = limits::unsettled_per_queue - std::min(limits::unsettled_per_queue, unsettled_.size());
  return std::min({credit, room, part_});
}

result<pull_result> queue::pull(consumer& consumer, const store::reader& reader, store::group& group,
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
    deliveries = returned->second;
    returned_.erase(returned);
  } else if (const auto counted = counted_.find(record.offset); counted != counted_.end()) {
    deliveries = counted->second;
    counted_.erase(counted);
  }
  const bool redelivered = deliveries > 0 || record.offset < maybe_delivered_before_;
  unsettled_.emplace(record.offset, deliveries);
  pull.to.unsettled.insert(record.offset);
  --pull.left;
  pull.stopped = !pull.take({record.offset, redelivered, deliveries, record.timestamp_ms, to_message(record)});
  if (pull.to.auto_ack) acknowledge(pull.to, record.offset, pull.group);
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
        pull.reader.scan(stream_, wanted, take, [&](offset_range damaged) { lose(damaged, pull.group); });
    if (!scanned) return scanned.error();
    TIDEGATE_EXPECT(!returned_.contains(wanted));
  }
  return {};
}

result<void> queue::pull_fresh(pulling& pull) {
  record_view record;
  const auto take = [&](const batch_view& batch) {
    record_reader records(batch);
    while (pull.goes_on() && records.next(record)) {
      if (record.offset < cursor_) continue;
      cursor_ = record.offset + 1;
      if (!settled_before_.contains(record.offset)) deliver(pull, record);
    }
    return pull.goes_on();
  };
  const auto scanned =
      pull.reader.scan(stream_, cursor_, take, [&](offset_range damaged) { lose(damaged, pull.group); });
  if (!scanned) return scanned.error();
  if (pull.goes_on()) cursor_ = end_;
  settled_before_.erase_below(cursor_);
  return {};
}

// What fails its CRC never comes back: it is settled, so that the queue goes on, and the loss ledger says so.
void queue::lose(offset_range damaged, store::group& group) {
  store::loss_record lost{store::loss_reason::damaged, stream_, {}, damaged.begin, damaged.end};
  for (offset_t offset = damaged.begin; offset < damaged.end; ++offset) {
    const bool was_fresh = offset >= cursor_ && !settled_before_.contains(offset);
    if (returned_.erase(offset) == 0 && !was_fresh) continue;
    --held_;
    ++lost.records;
    group.ack(stream_, offset);
  }
  cursor_ = std::max(cursor_, damaged.end);
  if (lost.records == 0) return;
  lost.unread = lost.records;
  log::error("queue {}: {} messages at offsets {} to {} are damaged and dropped", name_, lost.records, damaged.begin,
             damaged.end - 1);
  group.lose(std::move(lost));
}

void queue::acknowledge(consumer& consumer, offset_t offset, store::group& group) {
  consumer.unsettled.erase(offset);
  unsettled_.erase(offset);
  --held_;
  group.ack(stream_, offset);
}

void queue::discard(consumer& consumer, offset_t offset, store::group& group) {
  ++discarded_;
  acknowledge(consumer, offset, group);
}

void queue::requeue(consumer& consumer, offset_t offset, store::group& group) {
  const auto out = unsettled_.find(offset);
  TIDEGATE_EXPECT(out != unsettled_.end());
  const std::uint32_t deliveries = out->second + 1;
  consumer.unsettled.erase(offset);
  unsettled_.erase(out);
  returned_.emplace(offset, deliveries);
  group.count_delivery(stream_, offset, deliveries);
}

void queue::remove_consumer(consumer& consumer, store::group& group) {
  while (!consumer.unsettled.empty()) requeue(consumer, *consumer.unsettled.begin(), group);
  std::erase(consumers_, &consumer);
  begin_round();
}

}  // namespace tidegate::core
