// A queue: competing consumers over a lane, their shares, and the bounds of ready messages.
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
  bool told = false;        // was notified that there is something to pull
  std::uint64_t round = 0;  // the queue's round in which the consumer last had its part
  std::size_t unsettled = 0;
};

// Returns false to take no more now; the message is taken all the same.
using delivery_taker = std::function<bool(delivery_view&)>;

struct pull_result {
  std::size_t count = 0;
  bool more = false;  // something is ready and the consumer has credit: pull again when there is room
};

class queue {
 public:
  // A new queue, or one that the store found.
  explicit queue(queue_definition definition);
  queue(queue_definition definition, const store::stream_ledger& found);

  const queue_definition& definition() const { return definition_; }
  // Changes durability and bounds.
  void redefine(queue_definition definition) { definition_ = std::move(definition); }
  bool is_in_memory() const { return definition_.durability.is_memory(); }
  const std::string& name() const { return definition_.name; }
  stream_id stream() const { return lane_.stream(); }
  std::uint64_t ready() const { return lane_.held() - unsettled_; }
  // Bytes of the bodies of ready messages; an estimate after damage.
  std::uint64_t ready_bytes() const { return lane_.held_bytes() - std::min(lane_.held_bytes(), unsettled_bytes_); }
  std::uint64_t unsettled() const { return unsettled_; }
  std::uint64_t discarded() const { return discarded_; }
  const std::vector<consumer*>& consumers() const { return consumers_; }
  void add_consumer(consumer& consumer);
  // The consumer's deliveries stay out until their session settles them.
  void remove_consumer(consumer& consumer);

  // Whether the queue may take a message with a body of so many bytes. Errors: it exceeds bytes_max; the queue is at a
  // bound and rejects.
  result<void> check_room(std::uint64_t bytes) const;
  offset_t next_offset() const { return lane_.next_offset(); }
  void append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group) {
    lane_.append(message, timestamp_ms, group);
  }
  // Call before the group is handed over. If a drop-oldest queue would exceed a bound with the group's messages, drops
  // the excess in the same commit and returns it. A lowered bound can take several groups.
  departures keep_bounds(const store::reader& reader, store::commit_group& group);
  // Voids the appends of the groups under way: continues at the durable end, and messages that were dropped to make
  // room are ready again.
  void void_appends();
  // A group's result: every message below `end` is durable.
  void advance(offset_t end);

  // Passes at most a fair share of the ready messages to the consumer.
  result<pull_result> pull(consumer& consumer, const store::reader& reader, store::commit_group& group,
                           const delivery_taker& take);
  // Settle a message that is out. The caller counts the consumer's credit.
  void acknowledge(const held_message& message, store::commit_group& group);
  void discard(const held_message& message, store::commit_group& group);
  void requeue(const held_message& message, store::commit_group& group);
  // Whether the consumer may get more.
  bool wants(const consumer& consumer) const;

 private:
  void begin_round();
  std::size_t share_of(consumer& consumer);
  void take_back(const held_message& message);
  bool is_over(std::uint64_t messages, std::uint64_t bytes) const;
  bool is_over() const;

  queue_definition definition_;
  lane lane_;
  std::uint64_t unsettled_ = 0;  // messages that are out
  std::uint64_t unsettled_bytes_ = 0;
  std::uint64_t discarded_ = 0;
  std::uint64_t round_ = 0;
  std::size_t part_ = 0;  // messages for each consumer in this round
  std::vector<consumer*> consumers_;
};

}  // namespace tidegate::core::queues
