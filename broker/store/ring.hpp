// The journal: a ring of blobs, in the order of their commits, beside LMDB's file. A commit is one write of whole
// blocks and one sync. The ring does not know what is in a blob.
//
//   | blob ... pad | blob ... pad | free | blob ... pad |
//                                 end    head
//
// A blob does not wrap: one that does not fit the rest of a lap starts the next one. docs/store-format.md says what
// marks the end, and how each fault of a disk is told from it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker/store/blob.hpp"
#include "broker/store/ring_file.hpp"

namespace tidegate::store {

// A longer commit is written into the tables at once, and its blob has what the tables do not: its records are written
// once, and it takes three syncs.
constexpr std::size_t blob_bytes_most = 512 * 1024;

// A place after a blob: the next blob is there or, if it does not fit, at the start of the next lap.
struct ring_place {
  commit_number commit = 0;    // of the blob before
  ring_position position = 0;  // the first block after it
  std::uint32_t crc = 0;       // of that blob; the next one names it
};

class ring {
 public:
  // Throws as ring_file does.
  ring(const std::filesystem::path& file, ring_access access) : file_(file, access) {}

  const ring_file& file() const { return file_; }
  const ring_id& id() const { return file_.id(); }
  std::uint64_t generation() const { return file_.generation(); }
  std::uint64_t capacity() const { return file_.capacity(); }
  // Synced when it returns.
  void begin_generation(std::uint64_t generation);

  // Passes the blobs after `head` to `take`, oldest first, and makes the place after the last one the end. `in_tables`:
  // the last commit that the tables have. Throws store_damaged if the ring ends before that commit, or if a whole blob
  // of a later commit follows the end.
  using blob_taker = std::function<void(std::string_view blob, const blob_head& head)>;
  void read(const ring_place& head, commit_number in_tables, const blob_taker& take);

  // Returns the commit whose blob follows the end and is not whole; 0 = none. The power may have gone while it was
  // written, and then nobody was told that it is there; or it was damaged since. Nothing tells the two apart.
  commit_number incomplete() const { return incomplete_; }

  const ring_place& head() const { return head_; }
  const ring_place& end() const { return end_; }
  // Bytes from the head to the end.
  std::uint64_t used() const { return end_.position - head_.position; }
  // A blob of this size can be appended without overwriting what the last release() kept. `blocks`: that must stay free
  // after it.
  bool has_room(std::size_t size, std::uint64_t blocks = 0) const;
  // The largest blob that can be appended. A start looks this far after the end for blobs that should not be there.
  std::size_t blob_bytes_max() const { return std::min<std::uint64_t>(capacity() / 4, blob_bytes_most); }

  // Returns where a blob of this size would be appended.
  ring_position position_for(std::size_t size) const;
  // Appends the blob and fills in its position and CRC. Synced when it returns. Throws storage_failure, after which the
  // ring may not be used.
  void append(std::string& blob);
  // Removes the last blob as if it had never been appended. Synced when it returns.
  void take_back();
  ring_position position_of_last() const { return last_position_; }
  std::uint64_t bytes_of_last() const { return end_.position - last_position_; }

  // Returns where the ring may start if this commit and all after it are needed.
  ring_place place_before(commit_number needed) const;
  void move_head(const ring_place& head) { head_ = head; }
  // Lets blobs before the head be overwritten. Call when the broker thread has the result of the step that moved the
  // head, and so reads nothing before it.
  void release() { kept_from_ = head_.position; }

  // Returns bytes of a blob. The view is valid until release() frees the place, and never longer than the ring.
  std::string_view at(ring_position position, std::size_t size) const { return file_.at(position, size); }
  // Returns the whole blob of this ring that starts there, whatever its commit; none if there is none.
  std::optional<std::string_view> blob_at(ring_position position) const;

 private:
  std::optional<std::string_view> sealed_at(ring_position position) const;
  std::optional<std::string_view> find_next(const ring_place& end) const;
  bool looks_incomplete(const ring_place& end) const;
  void look_behind_end(commit_number taken_back) const;
  void wipe(ring_position position) const;

  ring_file file_;
  ring_place head_, end_, before_last_;
  ring_position last_position_ = 0;
  ring_position kept_from_ = 0;
  commit_number incomplete_ = 0;
  bool is_read_ = false;
};

}  // namespace tidegate::store
