// The lanes of a queue: one for each priority, made when the first message of that priority comes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/core/queues/lane.hpp"

namespace tidegate::core::queues {

class levels {
 public:
  // `queue`: the queue's name, for the log; it must outlive the lanes.
  explicit levels(const std::string& queue) : queue_(queue) {}

  // Adds the lane of a level, from the ledger that the store found, or empty.
  void add(std::uint8_t level, stream_id stream, const store::stream_ledger* found = nullptr);
  // Returns null if no message of the level came yet.
  lane* find(std::uint8_t level) const { return level < lanes_.size() ? lanes_[level].get() : nullptr; }
  // Returns the lane of a level that has one.
  lane& of(std::uint8_t level) const { return *lanes_[level]; }
  lane& of(const held_message& message) const { return *lanes_[message.level]; }
  // Returns all lanes, the lowest level first.
  std::vector<lane*> all() const;
  // The same by stream; null if the stream is of another queue.
  lane* find(stream_id stream) const;
  // Returns one more than the highest level that has had a lane.
  std::size_t count() const { return lanes_.size(); }

  // Sums over all lanes.
  amount ready() const;
  amount coming() const;
  std::uint64_t out() const;

 private:
  const std::string& queue_;
  std::vector<std::unique_ptr<lane>> lanes_;  // by level; null = not used yet
};

}  // namespace tidegate::core::queues
