// A lane: the positions of one stream's messages in a queue. Messages that were never delivered cost no memory: they
// are the range from the cursor to the end. Messages that were requeued are kept one by one.
//
//   log start                          cursor              end                     next
//   |  settled, unsettled or requeued  |  never delivered  |  on its way to flash  |
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/base/line.hpp"
#include "broker/base/on_first_use.hpp"
#include "broker/model/record_batch.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::queues {

// A number of messages, and the bytes of their bodies.
struct amount {
  std::uint64_t messages = 0, bytes = 0;
  amount& operator+=(const amount& more) {
    messages += more.messages;
    bytes += more.bytes;
    return *this;
  }
  friend amount operator+(amount one, const amount& more) { return one += more; }
};

// A message that is out: it was taken and is not settled yet. A session keeps it until the consumer settles it.
struct held_message {
  offset_t offset = 0;
  std::uint64_t due_ms = 0;      // age of the store at which it expires; 0 = never
  std::uint32_t bytes = 0;       // of the body
  std::uint16_t deliveries = 0;  // before this one; at most store::deliveries_max
  std::uint8_t level = 0;        // the lane's priority
};

// A range of messages that a queue dropped. The caller records the loss in the same commit group. If the store has no
// room for the group's records, the drops are void as well.
struct dropped_range {
  store::loss_reason reason{};
  stream_id stream{};
  offset_t first = 0, end = 0;
  std::uint64_t records = 0, bytes = 0;
};

class lane {
 public:
  // Makes an empty lane, or one from the ledger that the store found. `queue`: the queue's name, for the log; it must
  // outlive the lane. `level`: the priority of the lane's messages.
  lane(const std::string& queue, stream_id stream, std::uint8_t level = 0)
      : queue_(queue), stream_(stream), level_(level) {}
  lane(const std::string& queue, stream_id stream, std::uint8_t level, const store::stream_ledger& found);
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;

  stream_id stream() const { return stream_; }
  std::uint8_t level() const { return level_; }
  offset_t next_offset() const { return next_; }
  // Durable, not settled and not out. The bytes are approximate after damage.
  amount ready() const { return {held_.messages - out_.messages, held_.bytes - std::min(held_.bytes, out_.bytes)}; }
  // Taken and neither settled nor put back.
  std::uint64_t out() const { return out_.messages; }
  // Appended and not yet durable.
  amount coming() const { return {coming_.size(), coming_bytes_}; }

  // Returns the message's offset.
  offset_t append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group);
  // Forgets all appends that are not durable: the next offset is the durable end again.
  void void_appends();
  // Notes that everything below `end` is durable. Returns whether `end` is new.
  bool advance(offset_t end);

  // Receives one ready message, which is out from then on. Returns false to stop.
  using taker = std::function<bool(const record_view& record, std::uint32_t deliveries, bool is_redelivered)>;
  // Hands ready messages to `take`: first requeued ones, then those never delivered, each in the order of the stream.
  // Messages that are damaged or missing are settled and recorded in the loss ledger. Error: the store cannot be read.
  result<void> take(const store::reader& reader, store::commit_group& group, const taker& take);
  // Hands those of the messages at `offsets`, which rise, to `take` that are ready and for which `chosen` returns true,
  // wherever they are in the lane. Error: the store cannot be read.
  result<void> take_at(const std::vector<offset_t>& offsets, const store::reader& reader,
                       const std::function<bool(const record_view&)>& chosen, const taker& take);
  // Hands ready messages at or after `from` to `take`, which stay ready. Passes over damaged ones. Error: the store
  // cannot be read.
  result<void> look(const store::reader& reader, offset_t from, const taker& take) const;
  // Settles a message that is out.
  void acknowledge(const held_message& message, store::commit_group& group);
  // Settles a message that is out, which the group's records hold elsewhere. Void if these are: see come_back().
  void leave(const held_message& message, store::commit_group& group);
  // Makes a message that has left, or was dropped, ready again: its group is void.
  void come_back(const held_message& message);
  // Makes a message that is out ready again, at its place in the stream, as delivered once more.
  void put_back(const held_message& message, store::commit_group& group);
  // Settles all durable messages that are not out. Returns how many these were.
  std::uint64_t purge(store::commit_group& group);
  // Drops ready messages while `goes_on` returns true, in the order of take(), and last the ones that this group
  // appends. Adds the drops to `gone`. They are void if the group's records are; `left` receives those that then come
  // back.
  void drop_oldest(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                   const std::function<void(const held_message&)>& left, dropped_range& gone);

 private:
  // A message that was requeued.
  struct handled {
    std::uint32_t deliveries = 0;  // so far
    std::uint32_t bytes = 0;       // of the body
  };
  // The state of one call of take().
  struct taking {
    const store::reader& reader;
    store::commit_group& group;
    const taker& take;
    bool goes_on = true;
  };
  void hand_out(taking& taking, const record_view& record);
  bool hand_to(const taker& take, const record_view& record);
  result<void> take_returned(taking& taking);
  result<void> take_fresh(taking& taking);
  bool is_ready(offset_t offset) const;
  void drop_fresh(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                  const std::function<void(const held_message&)>& left, dropped_range& gone);
  void drop(const held_message& message, store::commit_group& group, dropped_range& gone);
  void drop_coming(store::commit_group& group, dropped_range& gone);
  void no_longer_held(std::uint64_t bytes);
  void no_longer_out(const held_message& message);
  void pass_to(offset_t end, store::commit_group& group);
  void pass_taken();
  void lose(offset_range damaged, store::commit_group& group);
  std::uint32_t take_count(offset_t offset);
  std::uint32_t count_of(offset_t offset) const;
  void forget_marks();

  const std::string& queue_;
  stream_id stream_;
  std::uint8_t level_ = 0;
  offset_t next_ = 0;           // of the next append
  offset_t end_ = 0;            // one past the last durable message
  offset_t cursor_ = 0;         // first offset that this process has not delivered or dropped; may be above end_
  line<std::uint32_t> coming_;  // body bytes of each message from max(cursor_, end_) to next_
  std::uint64_t coming_bytes_ = 0;
  amount held_;  // ready or out
  amount out_;
  offset_t maybe_delivered_before_ = 0;
  // Marks at or above the cursor: of messages that were settled or delivered before the start (`acked`, `deliveries`),
  // or were taken before their turn (`acked`).
  on_first_use<store::queue_marks> marks_;
  std::map<offset_t, handled> returned_;  // requeued
};

}  // namespace tidegate::core::queues
