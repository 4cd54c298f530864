// The messages of one stream of a queue. What waits and was never delivered is only two numbers, the cursor and the
// end; memory goes to what came back.
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

class lane {
 public:
  // A new one, or one as the store found it. `queue`: its name, for the log; it stays as long as the lane.
  lane(const std::string& queue, stream_id stream) : queue_(queue), stream_(stream) {}
  lane(const std::string& queue, stream_id stream, const store::stream_ledger& found);
  lane(const lane&) = delete;
  lane& operator=(const lane&) = delete;

  stream_id stream() const { return stream_; }
  offset_t next_offset() const { return next_; }
  // On flash and not settled: what waits, and what is out. Bytes of content; where damage was met, about.
  std::uint64_t held() const { return held_; }
  std::uint64_t held_bytes() const { return held_bytes_; }
  // On their way to flash.
  std::uint64_t coming() const { return coming_.size(); }
  std::uint64_t coming_bytes() const { return coming_bytes_; }

  void append(const message_view& message, std::int64_t timestamp_ms, store::commit_group& group);
  // What was to be appended is void: continues at the durable end, and what was dropped for it waits again.
  void void_appends();
  // A group's result: everything below is durable. Returns whether that is news.
  bool advance(offset_t end);

  // One message that waits; it is out from now on. False: no more of them.
  using taker = std::function<bool(const record_view& record, std::uint32_t deliveries, bool is_redelivered)>;
  // Takes what waits: first what came back, then what was never delivered, in the order of the stream. What is damaged
  // or missing is settled and told to the loss ledger. Error: the store cannot be read.
  result<void> take(const store::reader& reader, store::commit_group& group, const taker& take);
  // Settles a message that is out.
  void acknowledge(offset_t offset, std::uint64_t bytes, store::commit_group& group);
  // Lets one that is out wait again, at its place.
  void put_back(const held_message& message, store::commit_group& group);
  // Lets go of what would be taken next, and last of what this very group brings, as long as `goes_on` says so; adds it
  // to `gone`.
  void drop_oldest(const store::reader& reader, store::commit_group& group, const std::function<bool()>& goes_on,
                   departures& gone);

 private:
  // Of a message that came back, or is leaving.
  struct handled {
    std::uint32_t deliveries = 0;
    std::uint32_t bytes = 0;  // of content
  };
  // One take() on its way.
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
  offset_t next_ = 0;           // to append
  offset_t end_ = 0;            // durable
  offset_t cursor_ = 0;         // never delivered by this process from here on; beyond the end: dropped there
  line<std::uint32_t> coming_;  // bytes of content from the cursor or the end on, whichever is higher, to next_
  std::uint64_t coming_bytes_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t held_bytes_ = 0;
  offset_t maybe_delivered_before_ = 0;
  on_first_use<store::queue_marks> found_;             // marks that the start found at or above the cursor
  std::map<offset_t, handled> returned_;               // came back: deliveries so far
  std::vector<std::pair<offset_t, handled>> leaving_;  // dropped with the group that is on its way
};

}  // namespace tidegate::core::queues
