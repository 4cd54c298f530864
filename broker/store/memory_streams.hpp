// All streams that live in memory: durability "memory". One bound holds for what they take together. The file knows
// each of them by its row alone, which reserves a block of offsets, so that none is used twice whatever happens to the
// process. They belong to the broker's thread.
#pragma once

#include <map>
#include <vector>

#include "broker/store/memory_stream.hpp"

namespace tidegate::store {

// Offsets are reserved in the file so many at a time, the next ones when half of them are left. After an unclean stop a
// stream goes on behind what was reserved.
constexpr offset_t offsets_per_reservation = offset_t{1} << 20;

struct memory_use {
  std::uint64_t bytes = 0;      // of records, and of what keeps them
  std::uint64_t bytes_max = 0;  // 0: there is to be none
  std::uint64_t dropped = 0;    // records that bounds took since the start
};

class memory_streams {
 public:
  explicit memory_streams(std::uint64_t bytes_max) { use_.bytes_max = bytes_max; }

  // Begins, empty, where no offset has been used; the file keeps those below `reserved_end` from being used again.
  void add(stream_id id, stream_kind kind, stream_limits limits, offset_t begin, offset_t reserved_end,
           drop_totals dropped);
  // What a commit did to streams. Those that do not live here are left alone.
  void apply(const stream_change& change);
  void apply(const cursor_change& change);
  // A group's shares and expiry, and how the streams are then. What was promised to the group is used up or free.
  std::vector<stream_update> apply(commit_group& group);

  // Null: it does not live here.
  const memory_stream* find(stream_id id) const;

  // Offsets below `end` are reserved in the file.
  bool is_reserved(stream_id id, offset_t end) const;
  // Reservations that the file has to make so that the group's records, and many behind them, may be applied. Each is
  // asked for once.
  std::vector<stream_change> reservations_for(const commit_group& group);
  // For a clean stop: rows that say how far the streams came.
  std::vector<stream_change> final_rows() const;

  // Promises the group so many bytes more, in so many batches at most. Logs give way for it, the largest first: those
  // that protect nobody or whose head has been read, then the others, never those that reject. False: that would not be
  // enough, and nothing was dropped.
  bool promise(commit_group& group, std::uint64_t bytes, std::uint64_t batches);
  const memory_use& use() const { return use_; }

 private:
  struct entry {
    memory_stream stream;
    offset_t reserved_end = 0;
    offset_t asked_end = 0;  // the reservation that is on its way
  };
  template <class Change>
  void change(memory_stream& stream, const Change& change);
  std::uint64_t excess_with(std::uint64_t wanted) const;
  void give_way(std::uint64_t bytes);
  memory_stream* largest_that_gives_way(bool also_unread);

  std::map<stream_id, entry> streams_;
  memory_use use_;
  std::uint64_t promised_bytes_ = 0;
  milliseconds lifetime_{0};
};

}  // namespace tidegate::store
