// A stream in memory: its records in batches, its acknowledgements, and its retention. Used on the broker thread only.
// Gone when the process ends.
//
//   log_start                                  end
//   |  batch  |  batch  | batch | batch | batch |
//   '---- packed: up to 16 KiB ---'-- loose: as they came --'
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/base/line.hpp"
#include "broker/model/record_batch.hpp"
#include "broker/store/commit_group.hpp"
#include "broker/store/ledger.hpp"
#include "broker/store/reader.hpp"

namespace tidegate::store {

class memory_stream {
 public:
  // Makes an empty stream. `begin`: its first offset, which was never used before.
  memory_stream(stream_kind kind, stream_limits limits, offset_t begin, drop_totals dropped);

  // Returns the stream's state. Its bytes include the bookkeeping of batches. There is no record below the log start;
  // in a queue, the record at the log start may be acknowledged.
  const stream_view& view() const { return view_; }
  const stream_limits& limits() const { return limits_; }
  void set_limits(stream_limits limits) { limits_ = std::move(limits); }

  // Applies a share: adds its records, then its acknowledgements, then its new log start. The share's first batch
  // starts at the stream's end. Moves the batches out of the share.
  void take(stream_share& share, milliseconds lifetime);
  // Notes a group's committed offset, by which retention spares unread records of protected groups. A log that rejects
  // drops what they have read, from three quarters of a bound on.
  void set_cursor(const std::string& group, offset_t offset);
  // Logs: drops records over the age bound, and over bounds that were lowered.
  void expire(milliseconds lifetime);

  // See reader::scan(). CRCs are not checked again: the records never left memory.
  void scan(offset_t from, const std::function<bool(const batch_view&)>& take) const;

  // Returns whether the oldest batch may be dropped to make room for other streams. `also_unread`: even if a protected
  // group has not read it.
  bool gives_way(bool also_unread) const;
  // Returns how many bytes may be dropped for other streams, in all.
  std::uint64_t gives_way_bytes() const;
  // Drops the oldest batch.
  void give_way();
  // Adds to the drop totals. A queue's messages are dropped by acknowledging them, so they are counted by this call.
  void count_drops(std::uint64_t records, std::uint64_t unread);

  // Return the bytes of memory that a batch of `bytes` takes, and that a share's records take.
  static std::uint64_t cost_of_batch(std::uint64_t bytes);
  static std::uint64_t cost_of(const stream_share& share);

 private:
  struct held_batch {
    offset_t base = 0;
    std::uint32_t records = 0;  // offsets that the batch spans as it came, or records after it was packed
    std::uint32_t live = 0;     // of them, not acknowledged
    std::string bytes;
    std::vector<std::uint64_t> acked = {};  // a bit for each offset from the base on; empty = none is acknowledged

    bool is_acked(offset_t offset) const;
    std::uint64_t cost() const;
  };
  using batches = std::map<offset_t, held_batch>;  // by last offset

  void append(std::string bytes);
  void ack(offset_range range);
  void settle(batches::iterator at, offset_range range);
  void trim(offset_t log_start);
  void skip_acked();
  batches::iterator drop(batches::iterator at);
  void drop_heads_above(std::uint64_t bytes_max, std::uint64_t incoming);
  void drop_below(offset_t offset);
  void keep_records();
  offset_t head_end() const;
  offset_t read_by_protected() const;
  void pack(batches::iterator from, batches::iterator to);
  void insert(offset_t last, held_batch batch);

  stream_limits limits_;
  stream_view view_;
  batches batches_;
  line<age_mark> age_marks_;
  std::map<std::string, offset_t> cursors_;
  offset_t loose_from_;  // batches from this offset on are kept as they came
  std::uint64_t loose_bytes_ = 0;
};

}  // namespace tidegate::store
