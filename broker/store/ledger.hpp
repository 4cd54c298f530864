// The writer's bookkeeping of one stream: where its records are and which of them are alive.
//
//   log_start        recent.rolled_end                 next
//   |  chunk | chunk | ... |  batch | batch | batch ... |
//   '---- chunk table -----'------ journal (recent) ----'
#pragma once

#include <optional>

#include "broker/base/line.hpp"
#include "broker/base/on_first_use.hpp"
#include "broker/store/blob.hpp"
#include "broker/store/commit_group.hpp"
#include "broker/store/format.hpp"
#include "broker/store/newest_times.hpp"
#include "broker/store/queue_marks.hpp"

namespace tidegate::store {

// A batch in the journal.
struct segment {
  commit_number commit = 0;
  offset_t first = 0;
  offset_t last = 0;
  std::int64_t newest_timestamp_ms = 0;
  ring_position position = 0;  // counted from the blob's start until the blob is in the journal
  std::uint32_t size = 0;
};

segment segment_of(const batch_view& batch, commit_number commit, ring_position position);

// Returns the mark to add to a log's age marks at this age of the store, if the newest one is old enough. `held`: the
// offsets from the log start to the end.
std::optional<age_mark> due_mark(const line<age_mark>& marks, offset_range held, milliseconds age_max,
                                 milliseconds lifetime);
// Returns the offset below which every record is older than `age_max`; 0 = no record is known to be.
offset_t expired_before(const line<age_mark>& marks, milliseconds age_max, milliseconds lifetime);

// A stream as of a commit: what the writer reports to the reader and to core.
struct stream_state {
  stream_kind kind = stream_kind::queue;
  offset_t log_start = 0;
  offset_t end = 0;                    // one past the last durable offset
  offset_t rolled_end = 0;             // every record below it is in a chunk, or gone
  offset_t covered_end = 0;            // the chunks cover every offset from the log start to here
  std::optional<offset_t> head_chunk;  // last offset of the oldest one
  std::int64_t newest_timestamp_ms = 0;
  std::uint64_t bytes = 0;
  drop_totals drops;  // since the stream was created
};

// A stream's chunks in the chunk table. The oldest chunks of a log may be given up, for its bounds, before a table step
// deletes their rows: they end before `given_up_end`.
struct held_chunks {
  std::uint64_t bytes = 0;             // of the batches in them
  std::optional<offset_t> first_last;  // last offset of the oldest chunk that is not given up; none = no chunk
  std::uint64_t given_up_bytes = 0;
  offset_t given_up_end = 0;
  offset_t covered_end = 0;  // one past what the newest chunk covers; offsets from here to rolled_end were never rolled
  newest_times times;

  std::uint64_t kept_bytes() const { return bytes - given_up_bytes; }
  // Gives up the oldest chunk. `next_last`: last offset of the chunk after it.
  void give_up_first(std::uint64_t first_bytes, std::optional<offset_t> next_last);
  // Records that a chunk's row was deleted. `last`: the chunk's last offset.
  void gone(offset_t last, std::uint64_t gone_bytes);
  // Sets the oldest chunk in the table; none = the table has no chunk of the stream. Bytes of chunks that a damaged
  // file lost are counted until then.
  void set_first(std::optional<offset_t> last);
};

// The newest batches of a stream: those that are in the journal and in no chunk yet.
struct journal_part {
  line<segment> segments;  // oldest first
  std::uint64_t bytes = 0;
  offset_t rolled_end = 0;  // the first offset that a chunk has yet to take
  // `rolled_end` as of the last result. Readers look for records below it in chunks only, so chunks below it may be
  // replaced.
  offset_t reported_rolled_end = 0;

  void add(const segment& segment);
  // Forgets batches that end below the log start.
  void erase_below(offset_t log_start);
};

// How far the tables are behind for a stream.
struct table_debt {
  commit_number dirty_since = 0;    // oldest commit that the stream's row lacks; 0 = none
  commit_number checkpointed = 0;   // last commit that the row has
  std::uint64_t pledged_bytes = 0;  // room kept in the tables for what is in the journal, as counted in `books`
};

struct stream_ledger {
  stream_kind kind = stream_kind::queue;
  bool in_memory = false;  // the stream has no records here, only offsets
  stream_limits limits;
  offset_t log_start = 0;
  offset_t next = 0;
  std::int64_t newest_timestamp_ms = 0;
  held_chunks chunks;
  journal_part recent;
  table_debt debt;
  drop_totals dropped;
  line<age_mark> age_marks;  // oldest first

  // Queues only.
  std::uint64_t held_bytes = 0;  // bodies of the queue's messages
  offset_t maybe_delivered_before = 0;
  on_first_use<queue_marks> marks;
  std::uint64_t acked_since_checkpoint = 0;

  // Bytes of the batches in the journal and in chunks that are not given up.
  std::uint64_t bytes() const { return chunks.kept_bytes() + recent.bytes; }
  bool is_live(offset_t offset) const { return offset >= log_start && !marks->acked.contains(offset); }
  stream_state state() const;
  // Returns the stream's row. `commit`: the last one whose blob the row does not need.
  checkpoint as_checkpoint(commit_number commit) const;
  void add_segment(const segment& segment);
  void ack(offset_range range);
  // Adds bodies that were appended and removes those that were acknowledged. A queue without messages has 0 bytes.
  void count_bytes(std::uint64_t appended, std::uint64_t acked);
  void set_deliveries(offset_t offset, std::uint32_t count);
  // Estimates the bytes of messages in chunks that were acknowledged, out of order, since the last checkpoint.
  std::uint64_t dead_bytes() const;
  // Moves the log start up to the offset and forgets what is below it, except for chunks.
  void trim_to(offset_t offset);
};

}  // namespace tidegate::store
