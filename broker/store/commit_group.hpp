// Everything that one commit will do. Core fills a commit group on the broker thread and hands it whole to the writer.
//
// Core gives out the offsets, without gaps in a stream: one group is open and at most one is with the writer, so core
// always knows the next offset. If the writer cannot store records (full map), core continues at the durable end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/model/definitions.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/record_batch.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store {

// Bounds of a log; 0 = none. Bytes and records are hard bounds. The age counts in the store's lifetime. If the log
// rejects, core refuses appends over a bound, and the writer drops records that every protected group has read from
// three quarters of the bound on.
struct stream_limits {
  std::uint64_t bytes_max = 0;
  milliseconds age_max{0};
  std::uint64_t records_max = 0;
  tidegate::overflow overflow = tidegate::overflow::drop_oldest;
  std::vector<std::string> protect = {};  // groups whose unread records are dropped last

  // Returns the part of a bound that retention keeps. A log that rejects drops early what every group has read, so that
  // records at its bound are unread.
  std::uint64_t kept(std::uint64_t bound) const {
    return overflow == tidegate::overflow::reject ? bound / 4 * 3 : bound;
  }
};

// Changes to one stream.
struct stream_share {
  stream_id stream{};
  std::vector<std::string> batches;  // finished, oldest first
  batch_builder open;                // the records after those
  std::vector<offset_range> acked;
  std::vector<offset_range> tied;                              // acknowledged too, unless the group's records are void
  std::vector<std::pair<offset_t, std::uint32_t>> deliveries;  // earlier deliveries of requeued messages
  std::optional<offset_t> trim_to;                             // new log start
  std::uint64_t appended_bytes = 0;                            // queues: bodies of the messages
  std::uint64_t acked_bytes = 0;
  std::uint64_t tied_bytes = 0;

  bool appends() const { return !batches.empty() || !open.empty(); }
  // Returns one past the last record. Requires appends().
  offset_t end() const;
  std::size_t append_bytes() const;
};

struct cursor_change {
  stream_id stream{};
  std::string group;
  cursor_state state;
};

struct definition_change {
  std::string key;
  std::optional<std::string> value;  // none = erase
};

struct fact_change {
  std::string name;
  std::optional<std::string> value;  // none = erase
  bool is_tied = false;              // void if the group's records are
};

struct loss_change {
  loss_record record;
  bool is_tied = false;  // void if the group's records are
};

// Replaces chunks of a log by batches without the records that a compaction removed.
struct chunk_repack {
  stream_id stream{};
  offset_range covered;  // by the chunks to replace, see reader::chunk_at()
  std::vector<std::string> batches;
};

struct stream_change {
  // reserve: writes the row of a memory stream, from whose `reserved_end` on no offset has been used.
  enum class what { create, limit, reserve, drop } change = what::create;
  stream_id stream{};
  stream_kind kind = stream_kind::queue;
  stream_limits limits;
  bool in_memory = false;     // create: only the stream's row is ever written
  offset_t reserved_end = 0;  // of a memory stream
  drop_totals dropped = {};   // with reserve
};

// The content of a group, for the writer and for memory streams.
struct group_contents {
  std::vector<stream_share> shares;
  std::vector<cursor_change> cursors;
  std::unordered_map<std::string, std::optional<producer_state>> producers;  // by id; none = erase
  std::vector<definition_change> definitions;
  std::vector<fact_change> facts;
  std::vector<stream_change> stream_changes;
  std::vector<loss_change> losses;
  std::vector<chunk_repack> repacks;  // done after the commit, if there is room
  commit_time time;                   // when the group is handed over; tests that leave it out stand still in time
  bool expires = false;               // drops from every log what is older than its age bound
  bool has_dropped_appends = false;   // drop_appends() removed records
  std::optional<std::uint64_t> flash_bytes;  // noted in the meta table, if anything else makes this group a commit
  std::uint64_t promised_bytes = 0;          // memory reserved for its records in memory streams
};

class commit_group {
 public:
  // Appends one record. In a queue, the bytes of the body count as held until the acknowledgement.
  void append(stream_id stream, offset_t offset, std::int64_t timestamp_ms, const message_view& message,
              record_form form = record_form::topic);
  // Appends a producer's batch as it came. Its base offset is already set.
  void append_batch(stream_id stream, std::string batch);
  // Acknowledges messages. `bytes`: of their bodies.
  void ack(stream_id stream, offset_t offset, std::uint64_t bytes = 0) { ack(stream, {offset, offset + 1}, bytes); }
  void ack(stream_id stream, offset_range range, std::uint64_t bytes = 0);
  // Acknowledges messages that this group appends elsewhere. If the group's records are void, so is this.
  void ack_tied(stream_id stream, offset_range range, std::uint64_t bytes = 0);
  void count_delivery(stream_id stream, offset_t offset, std::uint32_t deliveries);
  void trim(stream_id stream, offset_t log_start);
  void set_cursor(stream_id stream, std::string_view group, cursor_state state);
  void set_producer(std::string_view producer, const producer_state& state);
  void erase_producer(std::string_view producer);
  void put_definition(std::string key, std::string value);
  void erase_definition(std::string key);
  // Changes a fact of a space that has no function of its own above.
  void change_fact(fact_change change);
  void change_stream(stream_change change);
  void repack(chunk_repack repack);
  void expire() { contents_.expires = true; }
  // Records a loss in the loss ledger with the commit's time. `is_tied`: void if the group's records are.
  void lose(loss_record record, bool is_tied = false);

  bool has_operations() const { return operations_ > 0; }
  bool empty() const { return !has_operations() && !contents_.expires; }
  // Returns the stream's share; null if nothing is appended to the stream.
  const stream_share* find_appends(stream_id stream) const;
  // Holds records.
  bool appends() const;
  // Estimates the bytes that the group will write: core bounds what waits for the writer.
  std::size_t bytes() const { return bytes_; }
  // Removes everything that a refused publish must not leave behind: records, the sequences that count them, and what
  // is tied to them.
  void drop_appends();

  group_contents& contents() { return contents_; }
  const group_contents& contents() const { return contents_; }

 private:
  stream_share& share_of(stream_id stream);
  void add(std::vector<offset_range>& ranges, offset_range range);
  void count(std::size_t bytes);

  group_contents contents_;
  std::unordered_map<stream_id, std::size_t> share_index_;
  std::size_t last_share_ = 0;  // index of the share that was used last: it is mostly used again
  std::size_t bytes_ = 0;
  std::size_t operations_ = 0;
};

}  // namespace tidegate::store
