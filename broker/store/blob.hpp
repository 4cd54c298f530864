// The journal's blobs, as docs/store-format.md describes them: one a commit, all that the commit did. Pure functions
// over bytes; ring.hpp has the file they stand in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/store/facts.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store {

// Of a byte in the journal's ring, counted on from lap to lap.
using ring_position = std::uint64_t;

constexpr std::size_t blob_head_bytes = 66;
// Of an entry with one batch, and the blob it stands in: everything but the batch.
constexpr std::size_t blob_overhead_bytes_max = 128;

// What stands before a blob's entries.
struct blob_head {
  commit_number commit = 0;
  ring_position position = 0;      // where the blob begins
  std::uint32_t previous_crc = 0;  // of the blob before
  bool is_in_tables = false;       // the commit counts if the tables have it, and its records with it
  commit_time time;
};

// Entries are appended in the order in which they take effect.
//
//   0 magic "TGJ3" | 4 length u32 of the whole blob | 8 CRC-32C u32 of what follows, going on from the ring's id |
//   12 commit u64 | 20 position u64 | 28 CRC-32C u32 of the blob before | 32 flags u16: 1 wall time is trusted, 2 the
//   commit is in the tables | 34 lifetime ms u64 | 42 wall ms u64 | 50 boot u64 | 58 boot elapsed ms u64 |
//   66 entries: type u8, length varint, body
class blob_writer {
 public:
  // `about`: bytes of entries to come; what is guessed too low costs copies.
  blob_writer(commit_number commit, const commit_time& time, std::size_t about = 0);

  // Returns where the batch begins, from the blob's beginning.
  std::uint32_t append(stream_id stream, std::string_view batch);
  void acked(stream_id stream, const std::vector<offset_range>& ranges);
  void deliveries(stream_id stream, const std::vector<std::pair<offset_t, std::uint32_t>>& counts);
  void trimmed(stream_id stream, offset_t log_start);
  void held(stream_id stream, std::uint64_t bytes);
  // None: it is gone.
  void fact(std::string_view name, const std::optional<std::string>& value);
  void created(stream_id stream, stream_kind kind, bool in_memory);
  void dropped(stream_id stream);
  // Of a stream in memory: no offset from this one on has been used.
  void reserved(stream_id stream, offset_t end, const drop_totals& dropped);
  void age_marked(stream_id stream, const age_mark& mark);
  // `totals` of the record's stream, with this loss.
  void lost(loss_number number, const loss_record& record, const drop_totals& totals);

  std::size_t size() const { return bytes_.size(); }
  // Views last until the next entry.
  std::string_view batch_at(std::uint32_t position) const { return std::string_view(bytes_).substr(position); }
  // The commit counts if the tables have it. They have its records, which go out of the blob; or all of it.
  void leave_records_to_tables();
  void leave_all_to_tables();
  // Not sealed yet: that is the ring's.
  std::string& bytes() { return bytes_; }

 private:
  void say_in_tables();

  std::string bytes_;
};

// The length a head tells; 0: it is none. At least blob_head_bytes.
std::size_t blob_length(std::string_view head);
std::uint32_t blob_crc(std::string_view head);
// Of at least blob_head_bytes.
blob_head read_blob_head(std::string_view blob);
// Whether length and CRC-32C are right. `seed`: of the ring's id.
bool is_sealed(std::string_view blob, std::uint32_t seed);
// Fills in what only the ring knows. Returns the blob's CRC-32C.
std::uint32_t seal_blob(std::string& blob, ring_position position, std::uint32_t previous_crc, std::uint32_t seed);

// Takes a blob's entries apart, one by one. What is left alone does nothing.
struct blob_visitor {
  std::function<void(stream_id, std::string_view batch, std::uint32_t position)> append = [](auto...) {};
  std::function<void(stream_id, offset_range)> acked = [](auto...) {};
  std::function<void(stream_id, offset_t, std::uint32_t count)> delivered = [](auto...) {};
  std::function<void(stream_id, offset_t log_start)> trimmed = [](auto...) {};
  std::function<void(stream_id, std::uint64_t bytes)> held = [](auto...) {};
  std::function<void(std::string_view name, std::optional<std::string_view> value)> fact = [](auto...) {};
  std::function<void(stream_id, stream_kind, bool in_memory)> created = [](auto...) {};
  std::function<void(stream_id)> dropped = [](auto...) {};
  std::function<void(stream_id, offset_t end, const drop_totals&)> reserved = [](auto, auto, const auto&) {};
  std::function<void(stream_id, const age_mark&)> age_marked = [](auto, const auto&) {};
  std::function<void(loss_number, const loss_record&, const drop_totals&)> lost = [](auto, const auto&, const auto&) {};
};
// The streams that a sealed blob says are dropped. Looks at nothing else, and throws where that does not decode.
std::vector<stream_id> streams_dropped_in(std::string_view blob);

// Of a sealed blob. Throws store_damaged on what does not decode.
void visit_blob(std::string_view blob, const blob_visitor& visitor);

}  // namespace tidegate::store
