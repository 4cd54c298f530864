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

  // Drops the oldest records so that the log is within its bound in bytes when `incoming` more are added; if the log
  // rejects, only those that every protected group has read. Call before a share is stored: so the bound is a hard one.
  void keep_bytes(stream_id id, stream_ledger& ledger, std::uint64_t incoming);
  // Drops the oldest records above the bound in records, exact to the record. Call after the new records were added.
  void keep_count(stream_id id, stream_ledger& ledger);
  // Adds an age mark with the log's end at this age of the store, if the newest mark is old enough.
  void mark_age(stream_id id, stream_ledger& ledger);
  // Logs that reject: drops records that every protected group has read, from three quarters of a bound on. Call when a
  // group has committed an offset.
  void let_go_of_read(stream_id id, stream_ledger& ledger);
  // Drops from all logs records over the age bound, and over bounds that were lowered.
  void expire();
  // Drops the excess of logs that a roll-up left over their bounds.
  void keep_over_bound();
  // Keeps room in the store for queues and for the writer's work. Above the mark, drops the oldest chunks of logs, the
  // largest log first: those that protect nobody or whose oldest chunk is read, then the others. A log that rejects
  // never drops unread records. Drops about `bytes_max` bytes at most.
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
  // Returns the offset of the slowest group that a protected name means; 0 = none of them has committed an offset.
  offset_t read_by(stream_id id, const std::string& name);

  const tables& tables_;
  books& books_;
  commit& now_;
};

// Marks the stream for a later table step if it has chunks to free: below the log start, or many dead bytes after it.
void free_dead_chunks_later(books& books, stream_id id, const stream_ledger& ledger);

}  // namespace tidegate::store
