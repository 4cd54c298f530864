// A set of offsets, such as a queue's acknowledgements, kept as ranges. A range costs one node however many offsets it
// has. A block with many short ranges is kept as one bit for each offset, which costs less: a million random
// acknowledgements take 0.2 MB.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "broker/model/ids.hpp"

namespace tidegate::store {

class offset_set {
 public:
  void insert(offset_range range);
  void erase(offset_range range);
  // Removes every offset below `floor`.
  void erase_below(offset_t floor) { erase({0, floor}); }
  bool contains(offset_t offset) const;
  // Returns the whole range that contains `offset`; none if the set does not contain it.
  std::optional<offset_range> range_at(offset_t offset) const;
  // Returns the first range that ends after `offset`: the one that contains it, or else the next one.
  std::optional<offset_range> range_from(offset_t offset) const;
  // Counts the range's offsets that are in the set.
  std::uint64_t count(offset_range range) const;
  // Counts all offsets in the set.
  std::uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Estimates the memory that the set takes.
  std::uint64_t bytes() const;

 private:
  static constexpr std::uint64_t block_offsets = 1'024;
  static constexpr std::uint64_t word_bits = 64;
  // One bit for each offset of a block, lowest offset first.
  struct dense_block {
    std::array<std::uint64_t, block_offsets / word_bits> words{};
    bool get(std::uint64_t bit) const { return (words[bit / word_bits] >> (bit % word_bits) & 1) != 0; }
    // Sets the bits from `first` to before `end`. Returns how many were not set before.
    std::uint64_t set(std::uint64_t first, std::uint64_t end);
    // Clears them. Returns how many were set before.
    std::uint64_t clear(std::uint64_t first, std::uint64_t end);
    // Counts those that are set.
    std::uint64_t count(std::uint64_t first, std::uint64_t end) const;
    // Returns the first bit, from `from` on, that is set or not set, as asked; block_offsets if there is none.
    std::uint64_t next(std::uint64_t from, bool is_set) const;
  };
  static std::uint64_t block_of(offset_t offset) { return offset / block_offsets; }

  void insert_sparse(offset_range range);
  void insert_dense(std::uint64_t block, offset_range range);
  void make_dense_if_crowded(std::uint64_t block);
  void take_out(offset_range range);
  std::optional<offset_range> piece_at(offset_t offset) const;

  // No offset is in both maps. A dense block has all of its offsets in dense_.
  std::map<offset_t, offset_t> ranges_;  // begin -> end; at least one offset lies between two ranges
  std::map<std::uint64_t, dense_block> dense_;
  std::uint64_t size_ = 0;
};

}  // namespace tidegate::store
