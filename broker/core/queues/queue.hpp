// A queue: competing consumers over a stream of the store. What waits and was never delivered is only two numbers, the
// cursor and the end; memory goes to what is out for delivery or came back.
//
//   log start            cursor                 end
//   |  settled, out, or returned  |  ready, never delivered  |
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/base/limits.hpp"
#include "broker/base/line.hpp"
#include "broker/core/events/events.hpp"
#include "broker/model/definitions.hpp"
#include "broker/model/record_batch.hpp"
#include "broker/store/store.hpp"

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

// A message that is out for delivery, as who holds it for the consumer keeps it.
struct held_message {
  offset_t offset = 0;
  std::uint32_t bytes = 0;       // of content
  std::uint32_t deliveries = 0;  // before this one
};

// What has left a queue for its bounds, for the caller to bury: void where the group's records are.
struct departures {
  store::loss_reason reason{};
  stream_id stream{};
  offset_t first = 0, end = 0;
  std::uint64_t records = 0, bytes = 0;
};

class queue {
 public:
  queue(queue_definition definition, const store::stream_ledger& found);
  // A new one.
  explicit queue(queue_definition definition);

  const queue_definition& definition() const { return definition_; }
  // Another durability, other bounds.
  void redefine(queue_definition definition) { definition_ = std::move(definition); }
  bool is_in_memory() const { return definition_.durability.is_memory(); }
  const std::string& name() const { return definition_.name; }
  stream_id stream() const { return definition_.stream; }
  std::uint64_t ready() const { return held_ - unsettled_; }
  // Content of what is ready. Where damage was met, about.
  std::uint64_t ready_bytes() const { return held_bytes_ - std::min(held_bytes_, unsettled_bytes_); }
  std::uint64_t unsettled() const { return unsettled_; }
  std::uint64_t discarded() const { return discarded_; }
  const std::vector<consumer*>& consumers() const { return consumers_; }
  void add_consumer(consumer& consumer);
  // What is out to it stays out, until whoever holds that settles it.
  void remove_consumer(consumer& consumer);

  // It may take a message of so many bytes of content. Errors: it is longer than bytes_max; the queue is at a bound and
  // rejects.
  result<void> check_room(std::uint64_t bytes) const;
  offset_t next_offset() const { return next_; }
  void append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group);
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
  // One pull on its way.
  struct pulling {
    consumer& to;
    const store::reader& reader;
    store::commit_group& group;
    const delivery_taker& take;
    std::size_t left;
    bool stopped = false;  // by the taker
    bool goes_on() const { return left > 0 && !stopped; }
  };
  // Of a message that came back, or is leaving.
  struct handled {
    std::uint32_t deliveries = 0;
    std::uint32_t bytes = 0;  // of content
  };
  void begin_round();
  std::size_t share_of(consumer& consumer);
  void deliver(pulling& pull, const record_view& record);
  void let_go(offset_t offset, std::uint64_t bytes, store::commit_group& group);
  void drop(offset_t offset, const handled& message, store::commit_group& group);
  void take_back(const held_message& message);
  bool is_over(std::uint64_t messages, std::uint64_t bytes) const;
  bool is_over() const;
  void drop_oldest(const store::reader& reader, store::commit_group& group, departures& gone);
  void pass_to(offset_t end, store::commit_group& group);
  void lose(offset_range damaged, store::commit_group& group);
  result<void> pull_returned(pulling& pull);
  result<void> pull_fresh(pulling& pull);

  queue_definition definition_;
  offset_t next_ = 0;           // to append
  offset_t end_ = 0;            // durable
  offset_t cursor_ = 0;         // never delivered by this process from here on; beyond the end: dropped there
  line<std::uint32_t> coming_;  // bytes of content from the cursor or the end on, whichever is higher, to next_
  std::uint64_t coming_bytes_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t held_bytes_ = 0;
  std::uint64_t unsettled_ = 0;  // out
  std::uint64_t unsettled_bytes_ = 0;
  std::uint64_t discarded_ = 0;
  std::uint64_t round_ = 0;
  std::size_t part_ = 0;  // of each consumer in this round
  offset_t maybe_delivered_before_ = 0;
  store::offset_set settled_before_;                   // found settled at the start, at or above the cursor
  std::map<offset_t, std::uint32_t> counted_;          // known deliveries of what was found at the start
  std::map<offset_t, handled> returned_;               // came back: deliveries so far
  std::vector<std::pair<offset_t, handled>> leaving_;  // dropped with the group that is on its way
  std::vector<consumer*> consumers_;
};

}  // namespace tidegate::core::queues
