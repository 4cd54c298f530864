// A queue: shares the messages of a lane among competing consumers, and keeps the ready messages within the queue's
// bounds. Who is next among the consumers is decided in consumer_line.hpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "broker/base/limits.hpp"
#include "broker/core/events/events.hpp"
#include "broker/core/queues/consumer_line.hpp"
#include "broker/core/queues/lane.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::core::queues {

// Receives one delivery. Returns false to stop; the delivery counts as handed out all the same.
using delivery_taker = std::function<bool(delivery_view&)>;

struct pull_result {
  std::size_t count = 0;
  bool more = false;  // messages are ready and the consumer has credit: pull again when the consumer has room
};

enum class outcome {
  ack,      // done: the message is gone
  requeue,  // the message is ready again at its place
  discard,  // refused for good: the message is dropped and counted
};

struct queue_figures {
  std::uint64_t ready_bytes = 0;  // bodies of the ready messages; approximate after damage
  std::uint64_t unsettled = 0;    // deliveries
  std::uint64_t discarded = 0;    // messages that consumers discarded since the process started
};

class queue {
 public:
  // Makes an empty queue, or one from the ledger that the store found. With an `owner` the queue belongs to that
  // session alone, has no row in the store, and ends with the session.
  explicit queue(queue_definition definition, session_id owner = {});
  queue(queue_definition definition, const store::stream_ledger& found);

  const queue_definition& definition() const { return definition_; }
  // Replaces durability, bounds and overflow. Name and stream must stay the same.
  void redefine(queue_definition definition) { definition_ = std::move(definition); }
  // Session 0 = none.
  session_id owner() const { return owner_; }
  const std::string& name() const { return definition_.name; }
  stream_id stream() const { return lane_.stream(); }
  std::uint64_t ready() const { return lane_.held() - unsettled_; }
  queue_figures figures() const { return {ready_bytes(), unsettled_, discarded_}; }
  const std::vector<consumer*>& consumers() const { return line_.consumers(); }
  void add_consumer(consumer& consumer);
  // Removes the consumer. Its unsettled deliveries stay unsettled until the session settles or requeues them.
  void remove_consumer(consumer& consumer);
  // Returns whether the queue is to be deleted: it is auto-delete, and the last of its consumers has ended.
  bool is_done() const { return definition_.auto_delete && was_consumed_ && consumers().empty(); }

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
  // Hands the next ready message to `take`, for no consumer. Returns whether there was one. With `auto_ack` it is
  // settled, else unsettled from then on. Error: the store cannot be read.
  result<bool> get(bool auto_ack, const store::reader& reader, store::commit_group& group, const delivery_taker& take);
  // Settles all ready messages; returns how many these were.
  std::uint64_t purge(store::commit_group& group);
  // Calls `tell` for consumers that may pull and do not know that messages are ready: for as many as there are ready
  // messages, beginning after the consumer that was served last.
  void wake(const std::function<void(consumer&)>& tell);
  // Settles a delivered message. The caller gives the credit back to the consumer.
  void settle(const held_message& message, outcome outcome, store::commit_group& group);
  // Returns whether messages are ready, the consumer has credit, and the queue may have more unsettled deliveries.
  bool wants(const consumer& consumer) const;

 private:
  void begin_round();
  std::size_t share_of(consumer& consumer);
  void fill(delivery_view& delivery, const record_view& record, std::uint32_t deliveries, bool is_redelivered) const;
  void count_delivery(const record_view& record, bool auto_ack, store::commit_group& group);
  std::uint64_t ready_bytes() const { return lane_.held_bytes() - std::min(lane_.held_bytes(), unsettled_bytes_); }
  bool is_over(std::uint64_t messages, std::uint64_t bytes) const;
  bool is_over() const;

  queue_definition definition_;
  session_id owner_{};
  lane lane_;
  std::uint64_t unsettled_ = 0;  // deliveries
  std::uint64_t unsettled_bytes_ = 0;
  std::uint64_t discarded_ = 0;
  std::uint64_t round_ = 0;
  std::size_t part_ = 0;  // messages for each consumer in this round
  consumer_line line_;
  bool was_consumed_ = false;
};

}  // namespace tidegate::core::queues
