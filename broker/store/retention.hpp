// Keeps logs within their bounds, and the store as a whole below its mark. What it drops stands in the loss ledger, in
// the same commit. Chunks stay in the table until a later step frees them; here they are given up, which only counts.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "broker/store/commit.hpp"

namespace tidegate::store {

class retention {
 public:
  retention(const tables& tables, books& books, commit& now) : tables_(tables), books_(books), now_(now) {}

  // Before a share of so many bytes is stored: afterwards the partition is within its bound, so the bound is a hard
  // one.
  void keep_bytes(stream_id id, stream_ledger& ledger, std::uint64_t incoming);
  // The bound in records, exact to the record; behind those that are new.
  void keep_count(stream_id id, stream_ledger& ledger);
  // Takes note of how far the log is at this age of the store, if the last note is a good while old.
  void mark_age(stream_id id, stream_ledger& ledger);
  // Of a log that rejects: a protected group has moved on.
  void let_go_of_read(stream_id id, stream_ledger& ledger);
  // All logs: what is older than their age bound, and what is over a bound that was lowered.
  void expire();
  // Logs that a roll-up left over their bounds.
  void keep_over_bound();
  // Logs together leave room for queues and for work: above the mark the largest gives way first, of those that protect
  // nobody or whose head everybody has read; then the others. At most so many bytes at a time.
  void relieve(const lmdb::page_use& pages, std::uint64_t bytes_max);

 private:
  void drop_excess(stream_id id, stream_ledger& ledger, std::uint64_t incoming);
  void drop_old(stream_id id, stream_ledger& ledger);
  void drop_head_while(stream_id id, stream_ledger& ledger, loss_reason reason,
                       const std::function<bool(std::uint64_t dropped)>& goes_on);
  bool drop_head(stream_id id, stream_ledger& ledger);
  void drop_below(stream_id id, stream_ledger& ledger, offset_t offset, loss_reason reason);
  void note_drop(stream_id id, offset_range dropped, offset_t read, std::uint64_t bytes, loss_reason reason);
  std::optional<stream_id> largest_droppable(bool also_unread);
  static offset_t head_end(const stream_ledger& ledger);
  offset_t read_by_protected(stream_id id, const stream_ledger& ledger);
  // By the slowest of the groups that a protected name means; 0 = none has committed anything.
  offset_t read_by(stream_id id, const std::string& name);

  const tables& tables_;
  books& books_;
  commit& now_;
};

// Chunks below the log start, or dead ones in the middle, are there to be freed when there is time.
void free_dead_chunks_later(books& books, stream_id id, const stream_ledger& ledger);

}  // namespace tidegate::store
