// All streams of durability "memory", and one bound for all memory that they take. The file has one row for each of
// these streams, except for transient ones, which end with the process anyway. The row reserves a block of offsets, so
// that no offset is used twice whatever happens to the process. Used on the broker thread only.
#pragma once

#include <map>
#include <vector>

#include "broker/store/memory_stream.hpp"

namespace tidegate::store {

// Number of offsets that are reserved in the file at a time. The next block is reserved when half of them are left.
// After an unclean stop a stream continues after its reserved block.
constexpr offset_t offsets_per_reservation = offset_t{1} << 20;

struct memory_use {
  std::uint64_t bytes = 0;      // of records and their bookkeeping
  std::uint64_t bytes_max = 0;  // 0 = memory streams are disabled
  std::uint64_t dropped = 0;    // records that bounds dropped since the start
};

class memory_streams {
 public:
  explicit memory_streams(std::uint64_t bytes_max) { use_.bytes_max = bytes_max; }

  // Adds an empty stream. `begin`: its first offset, never used before. The file reserves offsets below `reserved_end`.
  void add(stream_id id, stream_kind kind, stream_limits limits, offset_t begin, offset_t reserved_end,
           drop_totals dropped);
  // Adds an empty stream that the file knows nothing of, or removes it.
  void add_transient(stream_id id);
  void remove_transient(stream_id id);
  // Apply a commit's change. A stream that is not in memory is skipped.
  void apply(const stream_change& change);
  void apply(const cursor_change& change);
  // Applies a commit group's shares, drops and expiry. Returns the new states of the streams that changed. Releases the
  // memory that was promised to the group.
  std::vector<stream_update> apply(commit_group& group);

  // Returns null if the stream is not in memory.
  const memory_stream* find(stream_id id) const;

  // Returns whether the file reserves all offsets below `end`.
  bool is_reserved(stream_id id, offset_t end) const;
  // Returns the reservations to commit before the commit group's records, and many after them, may be applied. Each
  // reservation is returned once.
  std::vector<stream_change> reservations_for(const commit_group& group);
  // Returns the rows to write at a clean stop, so that each stream continues at its end and not after its reservation.
  std::vector<stream_change> final_rows() const;

  // Reserves memory for a commit group's records: `bytes` more, in at most `batches` batches. Makes room by dropping
  // the oldest batches of logs, the largest log first: those that protect nobody or whose oldest batch is read, then
  // the others. A log that rejects never drops unread records. Returns false, and drops nothing, if that would not be
  // enough.
  bool promise(commit_group& group, std::uint64_t bytes, std::uint64_t batches);
  const memory_use& use() const { return use_; }

 private:
  struct entry {
    memory_stream stream;
    offset_t reserved_end = 0;
    offset_t asked_end = 0;  // end of the reservation that was asked for
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
