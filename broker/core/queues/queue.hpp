// A queue: shares the messages of a lane among competing consumers, and keeps the ready messages within the queue's
// bounds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "broker/base/limits.hpp"
#include "broker/core/events/events.hpp"
#include "broker/core/queues/lane.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::core::queues {

class queue;

struct consumer {
  consumer_id id{};
  session_id session{};
  queue* source = nullptr;
  std::uint32_t prefetch = limits::prefetch_max;
  bool auto_ack = false;
  bool told = false;        // knows that messages are ready, from an event or from pull_result::more
  std::uint64_t round = 0;  // round of the queue in which the consumer last received its part
  std::size_t unsettled = 0;
};

// Receives one delivery. Returns false to stop; the delivery counts as handed out all the same.
using delivery_taker = std::function<bool(delivery_view&)>;

struct pull_result {
  std::size_t count = 0;
  bool more = false;  // messages are ready and the consumer has credit: pull again when the consumer has room
};

class queue {
 public:
  // Makes an empty queue, or one from the ledger that the store found.
  explicit queue(queue_definition definition);
  queue(queue_definition definition, const store::stream_ledger& found);

  const queue_definition& definition() const { return definition_; }
  // Replaces durability, bounds and overflow. Name and stream must stay the same.
  void redefine(queue_definition definition) { definition_ = std::move(definition); }
  bool is_in_memory() const { return definition_.durability.is_memory(); }
  const std::string& name() const { return definition_.name; }
  stream_id stream() const { return lane_.stream(); }
  std::uint64_t ready() const { return lane_.held() - unsettled_; }
  // Body bytes of the ready messages; approximate after damage.
  std::uint64_t ready_bytes() const { return lane_.held_bytes() - std::min(lane_.held_bytes(), unsettled_bytes_); }
  std::uint64_t unsettled() const { return unsettled_; }
  // Messages that consumers discarded since the process started.
  std::uint64_t discarded() const { return discarded_; }
  const std::vector<consumer*>& consumers() const { return consumers_; }
  void add_consumer(consumer& consumer);
  // Removes the consumer. Its unsettled deliveries stay unsettled until the session settles or requeues them.
  void remove_consumer(consumer& consumer);

  // Checks whether the queue accepts a message with a body of `bytes`. Errors: the body is longer than bytes_max; the
  // queue is at a bound and its overflow is reject.
  result<void> check_room(std::uint64_t bytes) const;
  offset_t next_offset() const { return lane_.next_offset(); }
  void append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group) {
    lane_.append(message, timestamp_ms, group);
  }
  // Call before the group is handed over. If a drop-oldest queue exceeds a bound with the group's appends, drops the
  // excess in the same commit and returns the drops. After a bound was lowered, the excess may be dropped over several
  // groups.
  departures keep_bounds(const store::reader& reader, store::commit_group& group);
  // Forgets all appends that are not durable, as lane::void_appends() does.
  void void_appends();
  // Notes that everything below `end` is durable.
  void advance(offset_t end);

  // Hands at most a fair share of the ready messages to the consumer. Error: the store cannot be read.
  result<pull_result> pull(consumer& consumer, const store::reader& reader, store::commit_group& group,
                           const delivery_taker& take);
  // Settles or requeues a delivered message. The caller gives the credit back to the consumer.
  void acknowledge(const held_message& message, store::commit_group& group);
  void discard(const held_message& message, store::commit_group& group);
  void requeue(const held_message& message, store::commit_group& group);
  // Returns whether messages are ready, the consumer has credit, and the queue may have more unsettled deliveries.
  bool wants(const consumer& consumer) const;

 private:
  void begin_round();
  std::size_t share_of(consumer& consumer);
  void take_back(const held_message& message);
  bool is_over(std::uint64_t messages, std::uint64_t bytes) const;
  bool is_over() const;

  queue_definition definition_;
  lane lane_;
  std::uint64_t unsettled_ = 0;  // deliveries
  std::uint64_t unsettled_bytes_ = 0;
  std::uint64_t discarded_ = 0;
  std::uint64_t round_ = 0;
  std::size_t part_ = 0;  // messages for each consumer in this round
  std::vector<consumer*> consumers_;
};

}  // namespace tidegate::core::queues
