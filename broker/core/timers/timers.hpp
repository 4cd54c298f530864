// Timers: tell which messages are due. Every message that expires, or that was delayed, has its due in its record. Here
// are only hints, so that nobody has to look for it:
//
//   now                 horizon
//   |  alarms: exact    |  zones: the earliest due of each 1,024 offsets of a stream
//
// Every due before the horizon is an alarm, at most alarms_max of them. When they run out, a pass reads the zones again
// and moves the horizon. A pass is done in slices, between which the broker works. If a pass finds too many dues, the
// later half goes back to its zones.
//
// Each zone has a fact, a lower bound of its dues, so that a start knows where dues are without reading messages. A
// hint may be stale: the message may be gone or its append void. Whoever receives it looks at the record.
//
// Time is the age of the store (commits/timeline.hpp), in ms.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "broker/store/store.hpp"

namespace tidegate::core::timers {

// A zone: the name of its fact is the stream, then the zone's number.
std::string zone_name(stream_id stream, std::uint64_t number);

struct alarm {
  stream_id stream{};
  offset_t offset = 0;
  friend auto operator<=>(const alarm&, const alarm&) = default;
};

class timers {
 public:
  static constexpr std::size_t alarms_max = 131'072;  // 8 bytes each

  // Loads the zones that the store found. Throws store_damaged if they do not decode.
  timers(store::store& store, std::uint64_t now_ms);

  // Notes the due of a message that the open group appends, with a fact in that group. `in_memory`: without a fact.
  void add(stream_id stream, offset_t offset, std::uint64_t due_ms, bool in_memory = false);
  // Forgets a stream that was deleted.
  void forget(stream_id stream);
  // Call when appends are void: facts about them are void, too.
  void void_appends();

  // Removes and returns what is due, at most `most`, in the order of streams and offsets. What is due and not on flash
  // yet comes later.
  std::vector<alarm> take_due(std::uint64_t now_ms, std::size_t most);
  // Does a slice of the work that is not urgent. `now_ms`: as before.
  void work(std::uint64_t now_ms);
  // Returns when to call again: the next due, or `now_ms` if there is work for a slice. None = there is nothing to do.
  std::optional<std::uint64_t> next(std::uint64_t now_ms) const;
  // Returns whether there is nothing to do, whatever the time.
  bool is_idle() const { return heap_.empty() && horizon_ms_ == never && !is_passing_ && !has_left_; }
  // Forgets zones below the streams' log starts. Call every ten seconds or so.
  void tick();

  std::size_t alarms() const { return heap_.size(); }
  std::size_t zones() const { return zones_.size() - free_.size(); }
  std::uint64_t records_read() const { return records_read_; }

 private:
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint64_t zone_bits = 10;
  static constexpr std::uint64_t zone_offsets = 1 << zone_bits;
  struct zone {
    stream_id stream{};
    std::uint64_t number = 0;
    std::uint64_t floor = never;  // no due of the zone is earlier, as far as the store knows
    std::uint64_t far = never;    // earliest due that is not an alarm
    offset_t newest = 0;          // offset that was added last
    bool is_used = false;
    bool is_stored = false;  // the fact in the store is `floor`
    bool in_memory = false;
  };
  struct entry {
    std::uint32_t due = 0;    // ms since base_ms_
    std::uint32_t place = 0;  // zone's index, then the offset within the zone
  };
  static bool is_later(const entry& a, const entry& b) { return a.due > b.due; }
  std::uint32_t zone_of(stream_id stream, std::uint64_t number);
  void release(std::uint32_t index);
  alarm alarm_of(const entry& entry) const;
  bool is_durable(const alarm& alarm) const;
  void push(std::uint32_t index, offset_t offset, std::uint64_t due_ms);
  void send_half_back();
  void rebase(std::uint64_t now_ms);
  std::uint64_t due_of(const entry& entry) const { return base_ms_ + entry.due; }
  void begin_pass(std::uint64_t now_ms);
  void read(std::uint32_t index);
  std::uint64_t read_dues(std::uint32_t index);
  void put_fact(const zone& zone, bool is_tied);
  bool wants_pass(std::uint64_t now_ms) const;

  store::store& store_;
  std::vector<zone> zones_;
  std::vector<std::uint32_t> free_;
  std::map<stream_id, std::map<std::uint64_t, std::uint32_t>> streams_;  // zone's number -> its index
  std::uint32_t last_ = 0;                                               // index of the zone that add() used last
  std::vector<entry> heap_;
  std::uint64_t base_ms_ = 0;
  std::uint64_t horizon_ms_ = never;
  // A pass over the zones.
  bool is_passing_ = false;
  std::uint32_t at_ = 0;            // next zone of the pass
  std::uint64_t known_before_ = 0;  // earlier dues are alarms already
  std::uint64_t not_before_ = 0;    // of the next pass
  bool has_left_ = false;           // a zone had messages that were not durable, and is to be read again
  std::uint64_t records_read_ = 0;  // by passes
};

}  // namespace tidegate::core::timers
