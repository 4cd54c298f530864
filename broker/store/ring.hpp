// The journal's file: a ring beside LMDB's file, filled with zeros when it is made, so that a commit is one write of
// whole blocks and one sync. It keeps blobs in the order of their commits, and knows nothing of what is in them.
//
//   | header | header | blob ... pad | blob ... pad | free | blob ... pad |
//   0        block    2 blocks                      end    head
//
// A place in the ring is a position: it counts on from lap to lap and never goes back, so position modulo the ring's
// length is where the byte lies. A blob does not wrap: one that does not fit the rest of a lap begins the next one.
//
// docs/store-format.md says what marks the end, and why each thing that may happen to a disk is told from it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/store/blob.hpp"
#include "broker/store/format.hpp"
#include "broker/store/new_file.hpp"

namespace tidegate::store {

constexpr std::uint64_t ring_bytes_min = 64 * 1024;

// A longer commit goes into the tables at once and leaves the ring what else it says: its records are written once, and
// it takes three syncs.
constexpr std::size_t blob_bytes_most = 512 * 1024;

// Made with each ring; the tables name it, and no blob of another ring fits.
using ring_id = std::array<char, 16>;
ring_id new_ring_id();

// A place behind a blob: the next one is there or, where it does not fit, at the beginning of the next lap.
struct ring_place {
  commit_number commit = 0;    // of the blob before
  ring_position position = 0;  // the first block behind it
  std::uint32_t crc = 0;       // of that blob, which the next one names
};

// Of a file; none: it cannot be opened, or is no ring.
std::optional<ring_id> ring_id_of(const std::filesystem::path& file);
// Before a store is made: its journal would take the place of one whose tables somebody may still put back. Throws
// storage_failure where there is one that was used.
void check_no_journal_is_left(const std::filesystem::path& directory);

class ring {
 public:
  enum class access { read, write };

  // Makes the file; what stood there is gone. `bytes`: of the whole file, made a whole number of blocks. Synced when it
  // returns, its directory apart. Throws storage_failure.
  static void make(const std::filesystem::path& file, std::uint64_t bytes, const ring_id& id, const fill_step& step);
  // How long a ring is that is made with so many bytes, in this directory.
  static std::uint64_t bytes_when_made(const std::filesystem::path& directory, std::uint64_t bytes);

  // Throws storage_failure where it cannot be opened, and store_damaged where it is no ring or cut short.
  ring(const std::filesystem::path& file, access access);
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;
  ~ring();

  const ring_id& id() const { return id_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  // Counts the starts: the tables have the same number, or one less where a start was cut short.
  std::uint64_t generation() const { return generation_; }
  // Synced when it returns.
  void begin_generation(std::uint64_t generation);
  // Whether the file that is open is the one of this path, and not removed or replaced since.
  bool is_at(const std::filesystem::path& file) const;
  // What was read may be in the kernel's memory only. Synced when it returns.
  void sync() const;

  // Gives the blobs behind `head`, oldest first, and takes the place behind the last one for the end. `in_tables`: the
  // last commit that the tables know of. Throws store_damaged where the ring ends before that one, or where a whole
  // blob of a later commit stands behind the end.
  using blob_taker = std::function<void(std::string_view blob, const blob_head& head)>;
  void read(const ring_place& head, commit_number in_tables, const blob_taker& take);

  // What was read is not read again: the process holds none of it any more, the kernel's cache may.
  void let_go_of_pages() const;

  // A commit whose blob stands behind the end and is not whole. The power may have gone while it was written, and then
  // nobody was told that it is there; or it was damaged since. Nothing tells the two apart. 0 = none.
  commit_number incomplete() const { return incomplete_; }

  const ring_place& head() const { return head_; }
  const ring_place& end() const { return end_; }
  std::uint64_t capacity() const { return capacity_; }
  // From the head to the end.
  std::uint64_t used() const { return end_.position - head_.position; }
  // A blob of this size has its place: nothing of what was there when release() was called last is overwritten.
  // `blocks`: that are to stay free behind it.
  bool has_room(std::size_t size, std::uint64_t blocks = 0) const;
  // No longer one can be appended. As far behind the end a start looks for blobs that should not be there.
  std::size_t blob_bytes_max() const { return std::min<std::uint64_t>(capacity_ / 4, blob_bytes_most); }

  // Of the next blob, when it is so long.
  ring_position position_for(std::size_t size) const;
  // Puts the blob behind the last one and fills in where it stands. Synced when it returns. Throws storage_failure,
  // after which the ring may not be used.
  void append(std::string& blob);
  // Takes the last blob away, as if it had never been. Synced when it returns.
  void take_back();
  ring_position position_of_last() const { return last_position_; }
  std::uint64_t bytes_of_last() const { return end_.position - last_position_; }

  // Where the ring may begin when this commit, and all behind it, are needed.
  ring_place place_before(commit_number needed) const;
  void move_head(const ring_place& head) { head_ = head; }
  // The broker thread does not read before the head any more: it has heard of the step that moved it.
  void release() { kept_from_ = head_.position; }

  // Bytes of a blob. Views last until release() lets go of the place, and never longer than the ring.
  std::string_view at(ring_position position, std::size_t size) const;
  // A whole blob of this ring that begins there, whatever its commit; none: there is none.
  std::optional<std::string_view> blob_at(ring_position position) const;

 private:
  void open_header();
  std::uint64_t padded(std::size_t size) const { return (size + block_bytes_ - 1) / block_bytes_ * block_bytes_; }
  ring_position next_lap(ring_position position) const { return (position / capacity_ + 1) * capacity_; }
  std::optional<std::string_view> sealed_at(ring_position position) const;
  std::optional<std::string_view> find_next(const ring_place& end) const;
  bool looks_incomplete(const ring_place& end) const;
  void look_behind_end(commit_number taken_back) const;
  void wipe(ring_position position) const;

  std::filesystem::path path_;
  descriptor file_;
  bool is_writable_;
  const char* map_ = nullptr;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t block_bytes_ = 0;
  std::uint64_t capacity_ = 0;
  ring_id id_{};
  std::uint32_t seed_ = 0;  // of each blob's CRC
  std::uint64_t generation_ = 0;
  ring_place head_, end_, before_last_;
  ring_position last_position_ = 0;
  ring_position kept_from_ = 0;
  commit_number incomplete_ = 0;
  bool is_read_ = false;
};

}  // namespace tidegate::store
