// Offsets as ranges: what is acknowledged in a queue. Costs one node per range, however many offsets it spans.
#pragma once

#include <map>
#include <optional>

#include "broker/model/ids.hpp"

namespace tidegate::store {

class offset_set {
 public:
  void insert(offset_range range);
  // Forgets everything below `floor`.
  void erase_below(offset_t floor);
  bool contains(offset_t offset) const;
  // The range that holds `offset`, if any does.
  std::optional<offset_range> range_at(offset_t offset) const;
  // The first range that ends behind `offset`.
  std::optional<offset_range> range_from(offset_t offset) const;
  // How many offsets it holds.
  std::uint64_t size() const { return size_; }
  bool empty() const { return ranges_.empty(); }
  auto begin() const { return ranges_.begin(); }
  auto end() const { return ranges_.end(); }

 private:
  std::map<offset_t, offset_t> ranges_;  // begin -> end, apart from each other by one offset at least
  std::uint64_t size_ = 0;
};

}  // namespace tidegate::store
