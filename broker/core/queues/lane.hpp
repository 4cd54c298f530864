// A lane: the positions of one stream's messages in a queue. Messages that were never delivered cost no memory: they
// are the range from the cursor to the end. Messages that were requeued are kept one by one.
//
//   log start                          cursor              end                     next
//   |  settled, unsettled or requeued  |  never delivered  |  on its way to flash  |
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/line.hpp"
#include "broker/base/on_first_use.hpp"
#include "broker/model/record_batch.hpp"
#include "broker/store/store.hpp"

namespace tidegate::core::queues {

// An unsettled message, as the session keeps it until the consumer settles it.
struct held_message {
  offset_t offset = 0;
  std::uint32_t bytes = 0;       // of the body
  std::uint32_t deliveries = 0;  // before this one
};

// Messages that a queue dropped to keep its bounds. The caller records the loss in the same commit group. If the store
// has no room for the group's records, the drops are void as well.
struct departures {
  store::loss_reason reason{};
  stream_id stream{};
  offset_t first = 0, end = 0;
  std::uint64_t records = 0, bytes = 0;
};

class lane {
 public:
  // Makes an empty lane, or one from the ledger that the store found. `queue`: the queue's name, for the log; it must
  // outlive the lane.
  lane(const std::string& queue, stream_id stream) : queue_(queue), stream_(stream) {}
  lane(const std::string& queue, stream_id stream, const store::stream_ledger& found);
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;

  stream_id stream() const { return stream_; }
  offset_t next_offset() const { return next_; }
  // Durable and not settled: ready messages and unsettled deliveries. Bytes are those of the bodies, approximate after
  // damage.
  std::uint64_t held() const { return held_; }
  std::uint64_t held_bytes() const { return held_bytes_; }
  // Appended and not yet durable.
  std::uint64_t coming() const { return coming_.size(); }
  std::uint64_t coming_bytes() const { return coming_bytes_; }

  void append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group);
  // Forgets all appends that are not durable: the next offset is the durable end again. Messages that were dropped to
  // make room for these appends are ready again.
  void void_appends();
  // Notes that everything below `end` is durable. Returns whether `end` is new.
  bool advance(offset_t end);

  // Receives one ready message, which counts as delivered from then on. Returns false to stop.
  using taker = std::function<bool(const record_view& record, std::uint32_t deliveries, bool is_redelivered)>;
  // Hands ready messages to `take`: first requeued ones, then those never delivered, each in the order of the stream.
  // Messages that are damaged or missing are settled and recorded in the loss ledger. Error: the store cannot be read.
  result<void> take(const store::reader& reader, store::commit_group& group, const taker& take);
  // Settles a delivered message.
  void acknowledge(offset_t offset, std::uint64_t bytes, store::commit_group& group);
  // Makes a delivered message ready again, at its place in the stream.
  void put_back(const held_message& message, store::commit_group& group);
  // Settles all durable messages that are not delivered. `delivered_bytes`: of the bodies of those that are. Returns
  // how many it settled.
  std::uint64_t purge(std::uint64_t delivered, std::uint64_t delivered_bytes, store::commit_group& group);
  // Drops messages while `goes_on` returns true, in the order of take(), and last the ones that this group appends.
  // Adds the drops to `gone`. The drops are void if the group's records are.
  void drop_oldest(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                   departures& gone);

 private:
  // A message that was requeued or dropped.
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
  result<void> take_returned(taking& taking);
  result<void> take_fresh(taking& taking);
  void drop_fresh(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                  departures& gone);
  void drop(offset_t offset, const handled& message, store::commit_group& group, departures& gone);
  void no_longer_held(std::uint64_t bytes);
  void pass_to(offset_t end, store::commit_group& group);
  void lose(offset_range damaged, store::commit_group& group);
  std::uint32_t take_count(offset_t offset);
  void forget_found();

  const std::string& queue_;
  stream_id stream_;
  offset_t next_ = 0;           // of the next append
  offset_t end_ = 0;            // one past the last durable message
  offset_t cursor_ = 0;         // first offset that this process has not delivered or dropped; may be above end_
  line<std::uint32_t> coming_;  // body bytes of each message from max(cursor_, end_) to next_
  std::uint64_t coming_bytes_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t held_bytes_ = 0;
  offset_t maybe_delivered_before_ = 0;
  on_first_use<store::queue_marks> found_;             // marks from before the start, at or above the cursor
  std::map<offset_t, handled> returned_;               // requeued
  std::vector<std::pair<offset_t, handled>> leaving_;  // dropped in the group on its way; back if that group is void
};

}  // namespace tidegate::core::queues
