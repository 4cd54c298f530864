// A queue: competing consumers over a lane, their shares, and the bounds of what waits.
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
  bool told = false;        // knows that there is something to pull
  std::uint64_t round = 0;  // of the queue, in which it last had its part
  std::size_t unsettled = 0;
};

// False: no more of them now (the message was taken all the same).
using delivery_taker = std::function<bool(delivery_view&)>;

struct pull_result {
  std::size_t count = 0;
  bool more = false;  // something is ready and the consumer has credit: pull again when there is room
};

class queue {
 public:
  // A new one, or one as the store found it.
  explicit queue(queue_definition definition);
  queue(queue_definition definition, const store::stream_ledger& found);

  const queue_definition& definition() const { return definition_; }
  // Another durability, other bounds.
  void redefine(queue_definition definition) { definition_ = std::move(definition); }
  bool is_in_memory() const { return definition_.durability.is_memory(); }
  const std::string& name() const { return definition_.name; }
  stream_id stream() const { return lane_.stream(); }
  std::uint64_t ready() const { return lane_.held() - unsettled_; }
  // Content of what is ready. Where damage was met, about.
  std::uint64_t ready_bytes() const { return lane_.held_bytes() - std::min(lane_.held_bytes(), unsettled_bytes_); }
  std::uint64_t unsettled() const { return unsettled_; }
  std::uint64_t discarded() const { return discarded_; }
  const std::vector<consumer*>& consumers() const { return consumers_; }
  void add_consumer(consumer& consumer);
  // What is out to it stays out, until whoever holds that settles it.
  void remove_consumer(consumer& consumer);

  // It may take a message of so many bytes of content. Errors: it is longer than bytes_max; the queue is at a bound and
  // rejects.
  result<void> check_room(std::uint64_t bytes) const;
  offset_t next_offset() const { return lane_.next_offset(); }
  void append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group) {
    lane_.append(message, timestamp_ms, group);
  }
  // Call before the group is handed over. Where a drop-oldest queue exceeds a bound with what the group brings, lets go
  // of the excess in the same commit and returns it. A lowered bound can take some groups.
  departures keep_bounds(const store::reader& reader, store::commit_group& group);
  // What was to be appended is void: continues at the durable end, and what was dropped for it is ready again.
  void void_appends();
  // A group's result: everything below is durable.
  void advance(offset_t end);

  // Hands at most a fair share of what is ready to the consumer.
  result<pull_result> pull(consumer& consumer, const store::reader& reader, store::commit_group& group,
                           const delivery_taker& take);
  // Settle a message that is out. The consumer's credit is the caller's.
  void acknowledge(const held_message& message, store::commit_group& group);
  void discard(const held_message& message, store::commit_group& group);
  void requeue(const held_message& message, store::commit_group& group);
  // May be given more.
  bool wants(const consumer& consumer) const;

 private:
  void begin_round();
  std::size_t share_of(consumer& consumer);
  void take_back(const held_message& message);
  bool is_over(std::uint64_t messages, std::uint64_t bytes) const;
  bool is_over() const;

  queue_definition definition_;
  lane lane_;
  std::uint64_t unsettled_ = 0;  // out
  std::uint64_t unsettled_bytes_ = 0;
  std::uint64_t discarded_ = 0;
  std::uint64_t round_ = 0;
  std::size_t part_ = 0;  // of each consumer in this round
  std::vector<consumer*> consumers_;
};

}  // namespace tidegate::core::queues
