// What the writer knows of each stream while it runs: where its records lie and which of them are alive.
//
//   log_start            rolled_end                    next
//   |  chunk | chunk | ... |  batch | batch | batch ... |
//   '---- chunk table -----'------ journal (recent) ----'
#pragma once

#include <map>
#include <optional>
#include <set>

#include "broker/base/line.hpp"
#include "broker/store/blob.hpp"
#include "broker/store/commit_group.hpp"
#include "broker/store/format.hpp"
#include "broker/store/newest_times.hpp"
#include "broker/store/offset_set.hpp"

namespace tidegate::store {

// One batch in the journal.
struct segment {
  commit_number commit = 0;
  offset_t first = 0;
  offset_t last = 0;
  std::int64_t newest_timestamp_ms = 0;
  ring_position position = 0;  // while its commit is made: from the blob's beginning
  std::uint32_t size = 0;
};

segment segment_of(const batch_view& batch, commit_number commit, ring_position position);

// How far a log is at this age of the store, if the last note of it is a good while old; `held` is from its log start
// to its end.
std::optional<age_mark> due_mark(const line<age_mark>& marks, offset_range held, milliseconds age_max,
                                 milliseconds lifetime);
// Everything below it is older than `age_max`; 0 = nothing is known to be.
offset_t expired_before(const line<age_mark>& marks, milliseconds age_max, milliseconds lifetime);

// How a stream stands as of a commit, as the writer tells and a reader knows it.
struct stream_state {
  stream_kind kind = stream_kind::queue;
  offset_t log_start = 0;
  offset_t end = 0;                    // one past the last durable offset
  offset_t rolled_end = 0;             // everything below it is in chunks, or gone
  offset_t covered_end = 0;            // chunks are there for everything from the log start to here
  std::optional<offset_t> head_chunk;  // last offset of the oldest one
  std::int64_t newest_timestamp_ms = 0;
  std::uint64_t bytes = 0;
  drop_totals drops;  // since it was made
};

struct stream_ledger {
  stream_kind kind = stream_kind::queue;
  bool in_memory = false;  // always empty here: only the offsets count
  stream_limits limits;
  offset_t log_start = 0;
  offset_t next = 0;
  offset_t rolled_end = 0;
  // As the last result told, so that readers know that what is below is in chunks: only there may these be exchanged.
  offset_t told_rolled_end = 0;
  offset_t covered_end = 0;  // one past what the newest chunk covers; what is missing up to rolled_end was dead by then
  std::int64_t newest_timestamp_ms = 0;
  newest_times times;             // of chunks
  std::uint64_t chunk_bytes = 0;  // of the batches in them
  line<segment> recent;
  std::uint64_t recent_bytes = 0;
  std::uint64_t held_bytes = 0;  // of a queue: bodies of its messages
  offset_t maybe_delivered_before = 0;
  drop_totals dropped;
  line<age_mark> age_marks;                  // oldest first
  std::optional<offset_t> first_chunk_last;  // last offset of the oldest chunk that was not given up; none = no chunk
  // Of a log: chunks that were given up for its bound and are still in the table, which is brought up to date later.
  // They end before given_up_end.
  std::uint64_t given_up_bytes = 0;
  offset_t given_up_end = 0;
  void give_up_chunk(std::uint64_t bytes, std::optional<offset_t> next_last);
  // One has left the table.
  void chunk_gone(offset_t last, std::uint64_t bytes);
  // The oldest one in the table. Where a file lost chunks, their bytes are counted until the last one has gone.
  void set_first_chunk(std::optional<offset_t> last);

  // Queues only: what is acknowledged at or above log_start, and how often requeued messages were delivered.
  offset_set acked;
  std::map<offset_t, std::uint32_t> deliveries;
  std::set<std::uint64_t> dirty_blocks;   // differ from the state table
  std::set<std::uint64_t> stored_blocks;  // have a row there
  offset_set blocks_to_thin;              // may hold chunks in which by now everything is acknowledged
  offset_t thinned_to = 0;                // so far the last step came with that
  std::uint64_t acked_since_checkpoint = 0;

  commit_number dirty_since = 0;  // oldest commit that the checkpoint lacks; 0 = none
  commit_number checkpointed = 0;

  std::uint64_t pledged_bytes = 0;  // as the books count it: room in the tables for what is in the journal

  // Of the chunks that were not given up.
  std::uint64_t kept_chunk_bytes() const { return chunk_bytes - given_up_bytes; }
  std::uint64_t bytes() const { return kept_chunk_bytes() + recent_bytes; }
  stream_state state() const;
  // The stream's row; `commit` is the last one whose blob it does not need.
  checkpoint as_checkpoint(commit_number commit) const;
  void add_segment(const segment& segment);
  void ack(offset_range range);
  // `appended` came and `acked` is gone; nothing held is no bytes.
  void count_bytes(std::uint64_t appended, std::uint64_t acked);
  void set_deliveries(offset_t offset, std::uint32_t count);
  // An estimate of what acknowledgements since the last checkpoint left dead in chunks behind the log start.
  std::uint64_t dead_bytes() const;
  // Moves the log start up and forgets what lies below it, chunks apart.
  void trim_to(offset_t offset);
  // The blocks around this one of which every offset is acknowledged; empty: it is none.
  offset_range full_blocks(std::uint64_t number) const;
  // What is known of a block's offsets, as its row says it; and the first block at or behind this one of which
  // something is.
  ack_block block(std::uint64_t number) const;
  std::optional<std::uint64_t> next_block(std::uint64_t number) const;
  bool is_live(offset_t offset) const { return offset >= log_start && !acked.contains(offset); }
};

}  // namespace tidegate::store
