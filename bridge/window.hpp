// The records between the cursor and the newest one sent, in source order. An entry is settled when its record needs
// nothing more from the destination. Entries leave from the front, once they are settled.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "bridge/sink.hpp"

namespace tidegate::bridge {

class window {
 public:
  struct entry {
    offset_t offset = 0;
    std::int64_t timestamp_ms = 0;
    std::size_t bytes = 0;
    bool settled = false;
    destination where = {};
  };

  // Appends an entry. Its offset must be greater than that of the entry before.
  void push(const entry& added);
  // Marks the entry of that offset as settled and returns it. Null if there is no unsettled entry of that offset.
  const entry* settle(offset_t offset, destination where);
  // Removes and returns the oldest entry if it is settled.
  std::optional<entry> pop_settled();
  void clear();

  bool empty() const { return entries_.empty(); }
  const entry* oldest() const { return entries_.empty() ? nullptr : &entries_.front(); }
  std::size_t unsettled() const { return unsettled_; }

 private:
  std::deque<entry> entries_;
  std::size_t unsettled_ = 0;
};

}  // namespace tidegate::bridge
