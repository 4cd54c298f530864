// A queue: shares the messages of its lanes among competing consumers. Who is next among the consumers is decided in
// consumer_line.hpp; what the queue may hold, in bounds.hpp; how messages leave that nobody acknowledges, in
// moving.hpp.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "broker/base/limits.hpp"
#include "broker/core/events/events.hpp"
#include "broker/core/queues/bounds.hpp"
#include "broker/core/queues/consumer_line.hpp"
#include "broker/core/queues/levels.hpp"
#include "broker/core/queues/moving.hpp"
#include "broker/model/definitions.hpp"

namespace tidegate::core::queues {

// Receives one delivery, and what its acknowledgement needs. Returns false to stop; the delivery counts as handed out
// all the same.
using delivery_taker = std::function<bool(delivery_view&, const held_message&)>;

struct pull_result {
  std::size_t count = 0;
  bool more = false;  // messages are ready and the consumer has credit: pull again when the consumer has room
};

enum class outcome {
  ack,      // done: the message is gone
  requeue,  // the message is ready again at its place
  discard,  // refused for good: the message is dropped and counted
};

// The place of a message among those that are ready: levels fall, and offsets rise in each.
struct message_place {
  std::uint8_t level = limits::priority_max;
  offset_t next = 0;  // one past the message's offset
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
  // Replaces what the definition says. Name, streams and whether the queue lives in memory must stay the same.
  void redefine(queue_definition definition) { definition_ = std::move(definition); }
  // Session 0 = none.
  session_id owner() const { return owner_; }
  const std::string& name() const { return definition_.name; }
  // The stream of the lowest priority.
  stream_id stream() const { return definition_.stream; }
  std::uint64_t ready() const { return lanes_.ready().messages; }
  queue_figures figures() const { return {lanes_.ready().bytes, lanes_.out(), discarded_}; }
  const std::vector<consumer*>& consumers() const { return line_.consumers(); }
  void add_consumer(consumer& consumer);
  // Removes the consumer. Its unsettled deliveries stay unsettled until the session settles or requeues them.
  void remove_consumer(consumer& consumer);
  // Returns whether the queue is to be deleted: it is auto-delete, and the last of its consumers has ended.
  bool is_done() const { return definition_.auto_delete && was_consumed_ && consumers().empty(); }

  queues::levels& lanes() { return lanes_; }
  queues::bounds bounds() const { return {definition_, lanes_}; }

  // Forgets all appends that are not durable, as lane::void_appends() does.
  void void_appends();
  // Notes that everything of the stream below `end` is durable.
  void advance(stream_id stream, offset_t end);

  // Hands at most a fair share of the ready messages to the consumer. Error: the store cannot be read.
  result<pull_result> pull(consumer& consumer, const surroundings& around, const delivery_taker& take);
  // Hands the next ready message to `take`, for no consumer. Returns whether there was one. With `auto_ack` it is
  // settled, else out from then on. Error: too many are out; the store cannot be read.
  result<bool> get(bool auto_ack, const surroundings& around, const delivery_taker& take);
  // Hands the first message after `place` that is ready to `take`, and sets `place` to its own. The message stays
  // ready, and nothing changes. Returns whether there was one. Error: the store cannot be read.
  result<bool> peek(message_place& place, const store::reader& reader, std::uint64_t now_ms,
                    const std::function<void(delivery_view&)>& take) const;
  // Hands those of the stream's messages at `offsets`, which rise, to around.depart that are ready and due. Error: the
  // store cannot be read.
  result<void> expire(stream_id stream, const std::vector<offset_t>& offsets, const surroundings& around);
  // Settles all ready messages; returns how many these were.
  std::uint64_t purge(store::commit_group& group);
  // Calls `tell` for consumers that may pull and do not know that messages are ready: for as many as there are ready
  // messages, beginning after the consumer that was served last.
  void wake(const std::function<void(consumer&)>& tell);
  // Settles a message that is out. The caller gives the credit back to the consumer. If the message departs instead, it
  // is returned as a departure and stays out. `is_tied`: void if the group's records are, as lane::leave().
  std::optional<departure> settle(const held_message& message, outcome outcome, std::uint64_t now_ms,
                                  store::commit_group& group, bool is_tied = false);
  // Returns whether messages are ready, the consumer has credit, and the queue may have more unsettled deliveries.
  bool wants(const consumer& consumer) const;

 private:
  // The state of one pull or get.
  struct handing {
    const surroundings& around;
    const delivery_taker& take;
    consumer* to = nullptr;
    bool auto_ack = false;
    std::size_t share = 1;
    std::size_t count = 0;
    std::size_t expired = 0;
    bool goes_on = true;
  };
  result<void> hand_out(handing& handing);
  bool hand_out(handing& handing, lane& lane, const record_view& record, std::uint32_t deliveries, bool is_redelivered);
  void begin_round();
  std::size_t share_of(consumer& consumer);
  std::optional<departure> departs(const held_message& message, outcome outcome, std::uint64_t now_ms) const;

  queue_definition definition_;
  session_id owner_{};
  queues::levels lanes_;  // the lowest is always there
  std::uint64_t discarded_ = 0;
  std::uint64_t round_ = 0;
  std::size_t part_ = 0;  // messages for each consumer in this round
  consumer_line line_;
  bool was_consumed_ = false;
  delivery_view delivery_;  // kept for its memory
};

}  // namespace tidegate::core::queues
