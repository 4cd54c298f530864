// The broker thread's view of the streams, and reading from them. Follows the writer by its results; never waits for
// it. A read opens and closes its transaction inside one call, so it cannot pin pages.
#pragma once

#include <functional>
#include <map>

#include "broker/base/limits.hpp"
#include "broker/base/line.hpp"
#include "broker/store/books.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {

struct stream_view : stream_state {
  line<segment> recent;  // batches in the journal
};

class memory_stream;
class memory_streams;

class reader {
 public:
  // `memory` may be null: then streams in memory are empty. It lives longer than the reader, as `journal` does.
  reader(lmdb::env& env, const tables& tables, const ring& journal, const books& books,
         const memory_streams* memory = nullptr);

  void apply(const commit_result& result);
  const stream_view* find(stream_id stream) const;

  // Calls `take` with each durable batch from the one that holds `from`, or the next behind it, in order, until it
  // returns false; nothing at or behind the `end` that find() tells. A view ends with its call of `take`. Everything is
  // checked against its CRC; what is damaged, or missing from a log, ends the scan with an error that names it.
  using batch_taker = std::function<bool(const batch_view&)>;
  result<void> scan(stream_id stream, offset_t from, const batch_taker& take) const {
    return scan(stream, from, take, {});
  }
  // The same, but goes on behind what is damaged, and tells `damage` its offsets. Nothing of it is given.
  using damage_taker = std::function<void(offset_range)>;
  result<void> scan(stream_id stream, offset_t from, const batch_taker& take, const damage_taker& damage) const;

  // Calls `take` with the record at this offset. False: there is none, or none any more; of a queue, whether it is
  // acknowledged is for the caller to know. Error: its batch is damaged.
  result<bool> read_one(stream_id stream, offset_t offset, const std::function<void(const record_view&)>& take) const;

  // The first durable offset whose timestamp is not below `timestamp_ms`, whatever the order of the times; the end if
  // there is none. Looks for the first chunk that can hold it by halves, and from there on at chunks' headers alone.
  result<offset_t> find_time(stream_id stream, std::int64_t timestamp_ms) const;

  // What the chunk covers that holds this offset, or the first one behind it. None: there is no such chunk.
  std::optional<offset_range> chunk_at(stream_id stream, offset_t offset) const;

  // The loss ledger's rows above the number `after`, the lowest numbers of them, `rows_max` at most, as one read
  // transaction finds them. Error: a damaged row among them.
  result<std::map<loss_number, loss_record>> losses(loss_number after = 0,
                                                    std::size_t rows_max = 2 * limits::loss_rows) const;

 private:
  void apply(const stream_update& update);
  struct fresh_loss {
    loss_record record;
    commit_number since = 0;  // the first commit in whose blob it may stand without standing in the table
  };
  void apply(const std::map<loss_number, loss_record>& losses, commit_number commit);
  void forget_losses_before(commit_number since);
  // One scan on its way.
  struct scanning {
    const lmdb::txn& txn;
    stream_id stream;
    offset_t position;
    const batch_taker& take;
    const damage_taker& damage;
    bool has_given = false;
    std::optional<offset_t> asked_to = {};  // chunks that end here or before were asked for
    // Error: nobody wants to go on behind it.
    result<bool> skip(offset_t last, const error& cause);
  };
  const memory_stream* in_memory(stream_id stream) const;
  result<bool> scan_chunk(scanning& scan) const;
  bool was_dropped(const scanning& scan, offset_t end) const;
  result<bool> pass_gap(scanning& scan, offset_t end) const;
  offset_t first_chunk_with(stream_id stream, std::int64_t timestamp_ms, offset_t end) const;
  offset_t next_with(stream_id stream, std::int64_t timestamp_ms, offset_t from) const;
  result<bool> scan_segment(scanning& scan, const segment& segment) const;

  lmdb::env& env_;
  tables tables_;
  const ring& journal_;
  const memory_streams* memory_;
  std::uint64_t snapshot_;  // LMDB's number of the last commit that this knows of
  std::map<stream_id, stream_view> streams_;
  std::map<loss_number, fresh_loss> fresh_losses_;  // may be newer than the table
  commit_number losses_since_;                      // as the last result has it
};

}  // namespace tidegate::store
