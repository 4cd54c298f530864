// A commit_group: everything that one commit will do. Filled by core on the broker thread, then handed whole to the
// writer.
//
// Offsets are given by core, dense per stream: there is one open group and at most one with the writer, so core always
// knows the next one. If the writer cannot take appends (full map), core starts again from the durable end.
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

// How much of a log is kept; 0 = no bound. Bytes and records are hard bounds, the age is by the store's lifetime. Where
// the log rejects, core refuses what is over its bounds, and the writer lets go of what every protected group has read
// when three quarters of them are reached.
struct stream_limits {
  std::uint64_t bytes_max = 0;
  milliseconds age_max{0};
  std::uint64_t records_max = 0;
  tidegate::overflow overflow = tidegate::overflow::drop_oldest;
  std::vector<std::string> protect = {};  // groups whose unread records go last when the store is short of room

  // What retention goes by of a bound: a log that rejects lets go early of what everybody has read, so that what is at
  // its bound is unread.
  std::uint64_t kept(std::uint64_t bound) const {
    return overflow == tidegate::overflow::reject ? bound / 4 * 3 : bound;
  }
};

// What a group does to one stream.
struct stream_share {
  stream_id stream{};
  std::vector<std::string> batches;  // finished, oldest first
  batch_builder open;                // the records behind them
  std::vector<offset_range> acked;
  std::vector<offset_range> tied;  // acknowledged as well, but void where the group's records are
  std::vector<std::pair<offset_t, std::uint32_t>> deliveries;  // earlier deliveries of requeued messages
  std::optional<offset_t> trim_to;                             // new log start
  std::uint64_t appended_bytes = 0;                            // of a queue: bodies of the messages
  std::uint64_t acked_bytes = 0;
  std::uint64_t tied_bytes = 0;

  bool appends() const { return !batches.empty() || !open.empty(); }
  // One past the last record; something is appended.
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
  std::optional<std::string> value;  // none = erased
};

struct fact_change {
  std::string name;
  std::optional<std::string> value;  // none: it is gone
  bool is_tied = false;
};

struct loss_change {
  loss_record record;
  bool is_tied = false;
};

// What takes the place of a log's chunks: batches that lack what a compaction left out.
struct chunk_repack {
  stream_id stream{};
  offset_range covered;  // what the chunks cover that are replaced: reader::chunk_at() tells
  std::vector<std::string> batches;
};

struct stream_change {
  // reserve: of one that lives in memory, the row that says from where on no offset has been used.
  enum class what { create, limit, reserve, drop } change = what::create;
  stream_id stream{};
  stream_kind kind = stream_kind::queue;
  stream_limits limits;
  bool in_memory = false;     // of a new one: it is never written but for its row
  offset_t reserved_end = 0;  // of one in memory
  drop_totals dropped = {};   // with reserve
};

class commit_group {
 public:
  // In a queue the body's bytes are held with it, and let go with its acknowledgement.
  void append(stream_id stream, offset_t offset, std::int64_t timestamp_ms, const message_view& message,
              record_form form = record_form::topic);
  // A producer's batch as it came, its base offset already set.
  void append_batch(stream_id stream, std::string batch);
  void ack(stream_id stream, offset_t offset, std::uint64_t bytes = 0) { ack(stream, {offset, offset + 1}, bytes); }
  void ack(stream_id stream, offset_range range, std::uint64_t bytes = 0);
  // Of a message that moves on to where this group appends it: where there is no room for records, it stays.
  void ack_tied(stream_id stream, offset_range range, std::uint64_t bytes = 0);
  void count_delivery(stream_id stream, offset_t offset, std::uint32_t deliveries);
  void trim(stream_id stream, offset_t log_start);
  void set_cursor(stream_id stream, std::string_view group, cursor_state state);
  void set_producer(std::string_view producer, const producer_state& state);
  void erase_producer(std::string_view producer);
  void put_definition(std::string key, std::string value);
  void erase_definition(std::string key);
  // Of spaces that have no call of their own above. `is_tied`: void where the group's records are.
  void change_fact(fact_change change);
  void change_stream(stream_change change);
  // Behind the commit, if there is room for it.
  void repack(chunk_repack repack);
  // Drops from every log what is older than its age bound.
  void expire() { expire_ = true; }
  // Puts a loss into the ledger; its times are the commit's. `is_tied`: void where the group's records are.
  void lose(loss_record record, bool is_tied = false);
  // When this is handed over; what a test leaves out stands still.
  void set_time(const commit_time& time) { time_ = time; }

  // Notes it in the meta table, if anything else makes this group a commit.
  void keep_flash_bytes(std::uint64_t bytes) { flash_bytes_ = bytes; }
  std::optional<std::uint64_t> flash_bytes() const { return flash_bytes_; }

  bool has_operations() const { return operations_ > 0; }
  bool empty() const { return !has_operations() && !expire_; }
  // The stream's share; null: nothing is appended to it.
  const stream_share* find_appends(stream_id stream) const;
  // Holds records.
  bool appends() const;
  // Rough size of what it will write; the core's bound on what waits for the writer.
  std::size_t bytes() const { return bytes_; }
  // Memory that is kept free for its records.
  void promise(std::uint64_t bytes) { promised_bytes_ += bytes; }
  std::uint64_t promised_bytes() const { return promised_bytes_; }
  // Takes out everything that a refused publish must not leave behind: records, the sequences that count them, and what
  // is tied to them.
  void drop_appends();
  bool has_dropped_appends() const { return has_dropped_appends_; }

  std::vector<stream_share>& shares() { return shares_; }
  const std::vector<stream_share>& shares() const { return shares_; }
  const std::vector<cursor_change>& cursors() const { return cursors_; }
  const std::unordered_map<std::string, std::optional<producer_state>>& producers() const { return producers_; }
  const std::vector<definition_change>& definitions() const { return definitions_; }
  const std::vector<fact_change>& facts() const { return facts_; }
  std::vector<stream_change>& stream_changes() { return stream_changes_; }
  const std::vector<stream_change>& stream_changes() const { return stream_changes_; }
  const std::vector<loss_change>& losses() const { return losses_; }
  std::vector<chunk_repack>& repacks() { return repacks_; }
  bool expires() const { return expire_; }
  const commit_time& time() const { return time_; }

 private:
  stream_share& share_of(stream_id stream);
  void add(std::vector<offset_range>& ranges, offset_range range);
  void count(std::size_t bytes);

  std::vector<stream_share> shares_;
  std::unordered_map<stream_id, std::size_t> share_index_;
  std::size_t last_share_ = 0;  // that was asked for: mostly it is asked for again
  std::vector<cursor_change> cursors_;
  std::unordered_map<std::string, std::optional<producer_state>> producers_;
  std::vector<definition_change> definitions_;
  std::vector<fact_change> facts_;
  std::vector<stream_change> stream_changes_;
  std::vector<loss_change> losses_;
  std::vector<chunk_repack> repacks_;
  commit_time time_;
  bool expire_ = false;
  bool has_dropped_appends_ = false;
  std::optional<std::uint64_t> flash_bytes_;
  std::uint64_t promised_bytes_ = 0;
  std::size_t bytes_ = 0;
  std::size_t operations_ = 0;
};

}  // namespace tidegate::store
