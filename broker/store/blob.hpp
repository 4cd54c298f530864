// The journal's blobs, as docs/store-format.md describes them: one for each commit, with everything that the commit
// did. Pure functions over bytes; ring.hpp has the file that holds the blobs.
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

// Position of a byte in the journal's ring. Positions count up from lap to lap.
using ring_position = std::uint64_t;

constexpr std::size_t blob_head_bytes = 66;
// Upper bound of the bytes of an entry with one batch and of its blob's head, without the batch.
constexpr std::size_t blob_overhead_bytes_max = 128;

// The head of a blob, before its entries.
struct blob_head {
  commit_number commit = 0;
  ring_position position = 0;      // where the blob starts
  std::uint32_t previous_crc = 0;  // of the blob before
  bool is_in_tables = false;       // the commit is void unless the tables have it; its records are there
  commit_time time;
};

// Writes a blob. Entries are appended in the order in which they take effect.
//
//   0 magic "TGJ3" | 4 length u32 of the whole blob | 8 CRC-32C u32 of the bytes after it, continued from the CRC of
//   the ring's id | 12 commit u64 | 20 position u64 | 28 CRC-32C u32 of the blob before | 32 flags u16: 1 wall time is
//   trusted, 2 the commit is in the tables | 34 lifetime ms u64 | 42 wall ms u64 | 50 boot u64 |
//   58 boot elapsed ms u64 | 66 entries: type u8, length varint, body
class blob_writer {
 public:
  // `about`: estimated bytes of the entries. A low estimate costs copies.
  blob_writer(commit_number commit, const commit_time& time, std::size_t about = 0);

  // Returns where the batch starts, counted from the blob's start.
  std::uint32_t append(stream_id stream, std::string_view batch);
  void acked(stream_id stream, const std::vector<offset_range>& ranges);
  void deliveries(stream_id stream, const std::vector<std::pair<offset_t, std::uint32_t>>& counts);
  void trimmed(stream_id stream, offset_t log_start);
  void held(stream_id stream, std::uint64_t bytes);
  // No value = the fact is erased.
  void fact(std::string_view name, const std::optional<std::string>& value);
  void created(stream_id stream, stream_kind kind, bool in_memory);
  void dropped(stream_id stream);
  // For a memory stream: no offset from `end` on has been used.
  void reserved(stream_id stream, offset_t end, const drop_totals& dropped);
  void age_marked(stream_id stream, const age_mark& mark);
  // `totals`: of the record's stream, including this loss.
  void lost(loss_number number, const loss_record& record, const drop_totals& totals);

  std::size_t size() const { return bytes_.size(); }
  // Returns the bytes from `position` on, which start with a batch. The view is valid until the next entry.
  std::string_view batch_at(std::uint32_t position) const { return std::string_view(bytes_).substr(position); }
  // Removes the records from the blob, because the tables have them. Marks the commit as void unless the tables have
  // it.
  void leave_records_to_tables();
  // The same for all entries.
  void leave_all_to_tables();
  // Returns the blob, not sealed: ring::append() does that.
  std::string& bytes() { return bytes_; }

 private:
  void say_in_tables();

  std::string bytes_;
};

// Returns the length that a head states, which is not checked; 0 = not a head. `head` has at least blob_head_bytes.
std::size_t blob_length(std::string_view head);
std::uint32_t blob_crc(std::string_view head);
// Reads the head without any check. `blob` has at least blob_head_bytes.
blob_head read_blob_head(std::string_view blob);
// Returns whether length and CRC-32C are right. `seed`: CRC-32C of the ring's id.
bool is_sealed(std::string_view blob, std::uint32_t seed);
// Fills in the length, the position, the CRC of the blob before and the blob's own CRC-32C. Returns the last one.
std::uint32_t seal_blob(std::string& blob, ring_position position, std::uint32_t previous_crc, std::uint32_t seed);

// Functions to call for the entries of a blob, one for each type. A function that is not set skips its entries.
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
// Returns the streams that a sealed blob drops, without decoding other entries. Throws store_damaged if an entry is cut
// short.
std::vector<stream_id> streams_dropped_in(std::string_view blob);

// Calls the visitor for each entry of a sealed blob, in order. Throws store_damaged if an entry does not decode.
void visit_blob(std::string_view blob, const blob_visitor& visitor);

}  // namespace tidegate::store
