// The commit groups for streams in memory. They are never handed to the writer, and exist beside the open group:
//
//   memory group ---> applied at any time
//   riding group ---> rides on the open group's commit, as its records must not be visible before something that waits
//                     for that commit; applied with the result, without its records if the commit had no room for any
//
// Also holds the memory streams themselves.
#pragma once

#include <memory>
#include <vector>

#include "broker/store/books.hpp"
#include "broker/store/commit_group.hpp"
#include "broker/store/memory_streams.hpp"

namespace tidegate::store {

class memory_groups {
 public:
  explicit memory_groups(std::uint64_t bytes_max) : streams_(bytes_max) {}

  // Adds the memory streams that a start found: empty, with the next offset that is safe to use.
  void add_found(const books& books, const contents& contents);

  commit_group& memory_group() { return *memory_group_; }
  commit_group& riding_group() { return *riding_; }
  const memory_streams& streams() const { return streams_; }
  // Adds or removes a stream that ends with the process: nothing of it is written.
  void add_transient(stream_id stream) { streams_.add_transient(stream); }
  void remove_transient(stream_id stream) { streams_.remove_transient(stream); }
  const memory_use& use() const { return streams_.use(); }
  // Returns whether records of a memory stream, up to `end`, may go into the memory group: nothing before them waits
  // for a commit, and their offsets are reserved. Otherwise they have to ride.
  bool is_free(stream_id stream, offset_t end) const;
  // Reserves memory for records of the riding or the memory group: see memory_streams::promise().
  bool promise(commit_group& group, std::uint64_t bytes, std::uint64_t batches) {
    return streams_.promise(group, bytes, batches);
  }
  // Returns the memory that appends to a stream will take which are in a group and not yet applied.
  std::uint64_t bytes_on_their_way(stream_id stream) const;

  // Adds to the open group the offsets that the riding group's records need reserved.
  void reserve_for_riding(commit_group& open) { reserve(*riding_, open); }
  // Apply the memory group, or the riding one while no group is with the writer. Return the streams' new states.
  std::vector<stream_update> apply_memory(commit_group& open);
  std::vector<stream_update> apply_riding();
  // Call when the open group goes to the writer. Keeps the riding group, and what the open group does to memory
  // streams, until the result is there.
  void depart_with(commit_group& open);
  // Call when the writer's result is there. Applies what departed, and adds the streams' new states to the result.
  void arrive_with(commit_result& result);

 private:
  void reserve(const commit_group& group, commit_group& open);

  memory_streams streams_;
  std::unique_ptr<commit_group> riding_ = std::make_unique<commit_group>();
  std::unique_ptr<commit_group> memory_group_ = std::make_unique<commit_group>();
  // Departed, waiting for the writer's result.
  std::unique_ptr<commit_group> flying_;
  std::vector<stream_change> flying_changes_;
  std::vector<cursor_change> flying_cursors_;
};

}  // namespace tidegate::store
