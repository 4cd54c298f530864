// The messages of one stream of a queue. Ready messages that were never delivered are only two numbers, the cursor and
// the end. Memory is needed for returned ones.
//
//   log start            cursor                 end                     next
//   |  settled, out, or returned  |  never delivered  |  on its way to flash  |
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

// A message that is out for delivery, as its session keeps it.
struct held_message {
  offset_t offset = 0;
  std::uint32_t bytes = 0;       // of the body
  std::uint32_t deliveries = 0;  // before this one
};

// Messages that a queue dropped for its bounds, for the caller to record as lost. Void if the group's records are.
struct departures {
  store::loss_reason reason{};
  stream_id stream{};
  offset_t first = 0, end = 0;
  std::uint64_t records = 0, bytes = 0;
};

class lane {
 public:
  // A new lane, or one that the store found. `queue`: its name, for the log; outlives the lane.
  lane(const std::string& queue, stream_id stream) : queue_(queue), stream_(stream) {}
  lane(const std::string& queue, stream_id stream, const store::stream_ledger& found);
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;

  stream_id stream() const { return stream_; }
  offset_t next_offset() const { return next_; }
  // Messages that are on flash and not settled: ready or out. Bytes of bodies; an estimate after damage.
  std::uint64_t held() const { return held_; }
  std::uint64_t held_bytes() const { return held_bytes_; }
  // Messages on their way to flash.
  std::uint64_t coming() const { return coming_.size(); }
  std::uint64_t coming_bytes() const { return coming_bytes_; }

  void append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group);
  // Voids the appends of the groups under way: continues at the durable end, and messages that were dropped to make
  // room are ready again.
  void void_appends();
  // A group's result: every message below `end` is durable. Returns whether that is news.
  bool advance(offset_t end);

  // Gets one ready message, which is out from then on. Returns false to end take().
  using taker = std::function<bool(const record_view& record, std::uint32_t deliveries, bool is_redelivered)>;
  // Passes ready messages to `take`: returned ones first, then those never delivered, in stream order. Damaged or
  // missing messages are settled and recorded in the loss ledger. Error: the store cannot be read.
  result<void> take(const store::reader& reader, store::commit_group& group, const taker& take);
  // Settles a message that is out.
  void acknowledge(offset_t offset, std::uint64_t bytes, store::commit_group& group);
  // Makes a message that is out ready again, at its place.
  void put_back(const held_message& message, store::commit_group& group);
  // Drops the messages that would be delivered next, and last those that this group appends, while `goes_on` returns
  // true. Adds them to `gone`.
  void drop_oldest(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                   departures& gone);

 private:
  // A message that was returned, or is being dropped.
  struct handled {
    std::uint32_t deliveries = 0;
    std::uint32_t bytes = 0;  // of the body
  };
  // State of one take().
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
  offset_t next_ = 0;           // the next offset to append
  offset_t end_ = 0;            // one past the last durable offset
  offset_t cursor_ = 0;         // first offset not delivered by this process; beyond the end: dropped up to there
  line<std::uint32_t> coming_;  // body bytes of each message from the cursor or the end, whichever is higher, to next_
  std::uint64_t coming_bytes_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t held_bytes_ = 0;
  offset_t maybe_delivered_before_ = 0;
  on_first_use<store::queue_marks> found_;             // marks that the start found at or above the cursor
  std::map<offset_t, handled> returned_;               // returned messages, with deliveries so far
  std::vector<std::pair<offset_t, handled>> leaving_;  // dropped with the group that is on its way
};

}  // namespace tidegate::core::queues
