// The newest times of a stream's chunks, for a search by time: the newest time of all chunks, and of those that remain
// when the oldest ones are gone. Times may rise, fall or jump (a clock that was set wrong). A chunk's time is kept only
// if every later chunk is older, and at most four are kept. If there are more, two neighbours are merged into the newer
// time at the later offset, so the newest time returned is never too old.
#pragma once

#include <cstdint>
#include <vector>

#include "broker/model/ids.hpp"

namespace tidegate::store {

struct newest_time {
  offset_t last_offset = 0;  // of the chunk
  std::int64_t timestamp_ms = 0;
  friend bool operator==(const newest_time&, const newest_time&) = default;
};

class newest_times {
 public:
  newest_times() = default;
  explicit newest_times(std::vector<newest_time> times) : times_(std::move(times)) {}

  // Adds the chunk after the last one. Returns the newest time of all chunks.
  std::int64_t add(const newest_time& chunk) {
    while (!times_.empty() && times_.back().timestamp_ms <= chunk.timestamp_ms) times_.pop_back();
    times_.push_back(chunk);
    if (times_.size() > times_max) {
      times_[times_max - 1].last_offset = times_[times_max].last_offset;
      times_.pop_back();
    }
    return times_.front().timestamp_ms;
  }
  // Removes chunks that end below the offset.
  void erase_below(offset_t offset) {
    std::size_t gone = 0;
    while (gone < times_.size() && times_[gone].last_offset < offset) ++gone;
    times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(gone));
  }
  // Oldest chunk first, so the newest time is the first.
  const std::vector<newest_time>& all() const { return times_; }

  static constexpr std::size_t times_max = 4;

 private:
  std::vector<newest_time> times_;
};

}  // namespace tidegate::store
