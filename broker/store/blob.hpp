// The journal's blobs, as docs/store-format.md describes them. Pure functions over bytes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/store/format.hpp"

namespace tidegate::store {

// Of a part with one batch: everything but the batch.
constexpr std::size_t blob_overhead_bytes_max = 128;

// Entries are appended in the order in which they take effect. What does not fit into a row begins the commit's next
// part; an entry that is longer has a part of its own.
//
//   0 magic "TGJ2" | 4 length u32 of the whole blob | 8 CRC-32C u32 of what follows | 12 commit u64 | 20 part u16 |
//   22 flags u16: 1 wall time is trusted, 2 the commit has a part behind this one | 24 lifetime ms u64 |
//   32 wall ms u64 | 40 boot u64 | 48 boot elapsed ms u64 | 56 entries: type u8, body
class blob_writer {
 public:
  // Begins with an empty part: a commit that did nothing to streams still has its number and time.
  blob_writer(commit_number commit, const commit_time& time, std::size_t part_bytes = row_bytes)
      : commit_(commit), time_(time), part_bytes_(part_bytes) {
    begin_part();
  }

  struct place {
    std::uint16_t part = 0;
    std::uint32_t position = 0;  // of the batch within the blob
  };
  place append(stream_id stream, std::string_view batch);
  void acked(stream_id stream, const std::vector<offset_range>& ranges);
  void deliveries(stream_id stream, const std::vector<std::pair<offset_t, std::uint32_t>>& counts);
  void trimmed(stream_id stream, offset_t log_start);
  void held(stream_id stream, std::uint64_t bytes);
  void cursor(stream_id stream, std::string_view group, const cursor_state& cursor);
  void producer(std::string_view producer, const producer_state& state);
  void producer_erased(std::string_view producer);
  void age_marked(stream_id stream, const age_mark& mark);
  // `totals` of the record's stream, with this loss.
  void lost(loss_number number, const loss_record& record, const drop_totals& totals);

  // The finished parts, of which the last says that it is the last one. More may come behind them, and be finished in
  // their turn: then that one has to be put again, continued().
  struct part {
    std::uint16_t number = 0;
    std::string bytes;
  };
  std::vector<part> finish();
  // Nothing is there that is not finished.
  bool empty() const { return parts_.empty(); }
  // The last one begun.
  std::uint16_t last_part() const { return static_cast<std::uint16_t>(next_part_ - 1); }

 private:
  std::string& room_for(std::size_t size);
  void begin_part();

  commit_number commit_;
  commit_time time_;
  std::size_t part_bytes_;
  std::vector<part> parts_;
  std::uint16_t next_part_ = 0;
};

// A finished part, of a commit that goes on behind it.
std::string continued(std::string_view blob);

// What stands before a blob's entries.
struct blob_head {
  commit_number commit = 0;
  std::uint16_t part = 0;
  bool has_more = false;  // the commit has a part behind this one
  commit_time time;
};

// Takes a blob apart, entry by entry. Every function is set.
struct blob_visitor {
  std::function<void(const blob_head&)> head;
  std::function<void(stream_id, std::string_view batch, blob_writer::place)> append;
  std::function<void(stream_id, offset_range)> acked;
  std::function<void(stream_id, offset_t, std::uint32_t count)> delivered;
  std::function<void(stream_id, offset_t log_start)> trimmed;
  std::function<void(stream_id, std::uint64_t bytes)> held;
  std::function<void(stream_id, std::string_view group, cursor_state)> cursor;
  std::function<void(std::string_view producer, std::optional<producer_state>)> producer;
  std::function<void(stream_id, const age_mark&)> age_marked;
  std::function<void(loss_number, const loss_record&, const drop_totals&)> lost;
};
// Throws storage_failure on a damaged blob.
void visit_blob(std::string_view blob, const blob_visitor& visitor);

// Whether the blobs of a journal are all there: commits follow each other without a gap, and the parts of each from 0
// up to the one that says it is the last.
class journal_sequence {
 public:
  // The next one in the table's order. Throws storage_failure where another blob belongs there; it may be asked on.
  void take(std::string_view key, const blob_head& head);
  // Behind the last one: what is missing there; empty: nothing.
  std::string complaint() const;
  commit_number last_commit() const { return last_ ? last_->commit : 0; }

 private:
  std::optional<blob_head> last_;
};

}  // namespace tidegate::store
