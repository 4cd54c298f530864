// Reads streams on the broker thread. The reader's view of the streams follows the writer's results; the reader never
// waits for the writer. A read opens and closes its transaction inside one call, so it cannot pin pages.
#pragma once

#include <functional>
#include <map>

#include "broker/base/limits.hpp"
#include "broker/base/line.hpp"
#include "broker/store/books.hpp"
#include "broker/store/last_read.hpp"
#include "broker/store/writer.hpp"

namespace tidegate::store {

struct stream_view : stream_state {
  line<segment> recent;  // batches in the journal
};

class memory_stream;
class memory_streams;

class reader {
 public:
  // `memory` may be null: then memory streams are empty. `memory`, `env` and `journal` outlive the reader.
  reader(lmdb::env& env, const tables& tables, const ring& journal, const books& books,
         const memory_streams* memory = nullptr);

  // Updates the view with a commit's result.
  void apply(const commit_result& result);
  // Returns null if there is no such stream.
  const stream_view* find(stream_id stream) const;

  // Calls `take` with each durable batch in order, from the one that holds `from` or the next one, until `take` returns
  // false or the `end` of find() is reached. The view is valid during the call of `take`. Every byte is checked against
  // its CRC. Error: a batch is damaged or missing; the error names the stream and the offset.
  using batch_taker = std::function<bool(const batch_view&)>;
  result<void> scan(stream_id stream, offset_t from, const batch_taker& take) const {
    return scan(stream, from, take, {});
  }
  // The same, except that it continues after damaged or missing batches, and calls `damage` with their offsets.
  using damage_taker = std::function<void(offset_range)>;
  result<void> scan(stream_id stream, offset_t from, const batch_taker& take, const damage_taker& damage) const;

  // Calls `take` with the record at this offset. Returns false if there is none, or none any more. An acknowledged
  // message of a queue may still be found: the caller has to know. Error: the batch is damaged.
  result<bool> read_one(stream_id stream, offset_t offset, const std::function<void(const record_view&)>& take) const;

  // Returns the first durable offset whose timestamp is not below `timestamp_ms`, whatever the order of the timestamps;
  // the end if there is none. Finds the first chunk that can hold it by bisection, and reads only headers of chunks
  // from there to the one that holds it. Error: there is no such stream.
  result<offset_t> find_time(stream_id stream, std::int64_t timestamp_ms) const;

  // Returns the offsets covered by the chunk that covers `offset`, or by the next chunk. None if there is no such
  // chunk, or if its header is damaged.
  std::optional<offset_range> chunk_at(stream_id stream, offset_t offset) const;

  // Returns the loss ledger's rows with numbers above `after`, the lowest first, at most `rows_max`, as of one read
  // transaction. Error: a row is damaged.
  result<std::map<loss_number, loss_record>> losses(loss_number after = 0,
                                                    std::size_t rows_max = 2 * limits::loss_rows) const;

 private:
  void apply(const stream_update& update);
  struct fresh_loss {
    loss_record record;
    commit_number since = 0;  // the first commit whose blob may hold the row while the table does not
  };
  void apply(const std::map<loss_number, loss_record>& losses, commit_number commit);
  void forget_losses_before(commit_number since);
  // The state of one scan.
  struct scanning {
    const lmdb::txn& txn;
    stream_id stream;
    offset_t position;
    const batch_taker& take;
    const damage_taker& damage;
    bool has_given = false;
    bool reads_one = false;                 // one record: nothing is read ahead
    std::optional<offset_t> asked_to = {};  // the kernel was asked to read ahead the chunks up to this last offset
    // Reports damage up to `last` and continues after it. Returns `cause` if the scan has no `damage`.
    result<bool> skip(offset_t last, const error& cause);
  };
  const memory_stream* in_memory(stream_id stream) const;
  result<void> run(scanning& scan) const;
  bool is_whole(const scanning& scan, const batch_view& batch) const;
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
  std::uint64_t snapshot_;  // LMDB's number of the last commit, as in the last result
  std::map<stream_id, stream_view> streams_;
  std::map<loss_number, fresh_loss> fresh_losses_;  // rows that may be newer than the table
  commit_number losses_since_;                      // as in the last result
  mutable last_read last_;                          // by read_one()
};

}  // namespace tidegate::store
