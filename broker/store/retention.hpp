// Keeps logs within their bounds, and the whole store below its mark. Drops are recorded in the loss ledger in the same
// commit. Dropped chunks are only given up here, which is a count; a later table step deletes their rows.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "broker/store/commit.hpp"

namespace tidegate::store {

class retention {
 public:
  retention(const tables& tables, books& books, commit& now) : tables_(tables), books_(books), now_(now) {}

  // Call before a share of so many bytes is stored. Makes room first, so that the bound is a hard one.
  void keep_bytes(stream_id id, stream_ledger& ledger, std::uint64_t incoming);
  // Keeps the bound in records, exact to the record. Call after the new records were added.
  void keep_count(stream_id id, stream_ledger& ledger);
  // Adds an age mark if the newest one is old enough.
  void mark_age(stream_id id, stream_ledger& ledger);
  // Logs that reject: drops read records after a protected group has moved on.
  void let_go_of_read(stream_id id, stream_ledger& ledger);
  // All logs: drops records over their age bound, and over bounds that were lowered.
  void expire();
  // Drops the excess of logs that a roll-up left over their bounds.
  void keep_over_bound();
  // Keeps room in the store for queues and work. Above the mark, drops the oldest records of logs, the largest log
  // first: those that protect nobody or whose oldest records are read, then the others. At most `bytes_max` at a time.
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
  // Returns the offset of the slowest group that a protected name stands for; 0 = none has committed an offset.
  offset_t read_by(stream_id id, const std::string& name);

  const tables& tables_;
  books& books_;
  commit& now_;
};

// Marks the stream for freeing chunks below the log start, or dead ones in between.
void free_dead_chunks_later(books& books, stream_id id, const stream_ledger& ledger);

}  // namespace tidegate::store
