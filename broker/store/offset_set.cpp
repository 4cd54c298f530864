#include "broker/store/offset_set.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

namespace tidegate::store {
namespace {

// Most ranges of a block that are kept as ranges. More of them take more room as nodes of a tree than as bits: 48 bytes
// each, and 184 for the block.
constexpr int ranges_per_block_max = 4;

constexpr std::uint64_t node_bytes = 48;  // memory that a map's node takes, with its key and malloc's overhead

// Calls `visit` with each word that holds bits from `first` to before `end`, and with a mask of these bits.
template <class Words, class Visit>
void each_word(Words& words, std::uint64_t first, std::uint64_t end, const Visit& visit) {
  constexpr std::uint64_t word_bits = 64;
  for (std::uint64_t bit = first; bit < end;) {
    const std::uint64_t in_word = bit % word_bits, count = std::min(end - bit, word_bits - in_word);
    const std::uint64_t low = count == word_bits ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    visit(words[bit / word_bits], low << in_word);
    bit += count;
  }
}

std::uint64_t bits_in(std::uint64_t word) { return static_cast<std::uint64_t>(std::popcount(word)); }

}  // namespace

std::uint64_t offset_set::dense_block::set(std::uint64_t first, std::uint64_t end) {
  std::uint64_t added = 0;
  each_word(words, first, end, [&](std::uint64_t& word, std::uint64_t mask) {
    added += bits_in(mask & ~word);
    word |= mask;
  });
  return added;
}

std::uint64_t offset_set::dense_block::clear(std::uint64_t first, std::uint64_t end) {
  std::uint64_t taken = 0;
  each_word(words, first, end, [&](std::uint64_t& word, std::uint64_t mask) {
    taken += bits_in(mask & word);
    word &= ~mask;
  });
  return taken;
}

std::uint64_t offset_set::dense_block::count(std::uint64_t first, std::uint64_t end) const {
  std::uint64_t found = 0;
  each_word(words, first, end, [&](std::uint64_t word, std::uint64_t mask) { found += bits_in(mask & word); });
  return found;
}

std::uint64_t offset_set::dense_block::next(std::uint64_t from, bool is_set) const {
  while (from < block_offsets) {
    const std::uint64_t word = is_set ? words[from / word_bits] : ~words[from / word_bits];
    const std::uint64_t rest = word >> (from % word_bits);
    if (rest != 0) return from + static_cast<std::uint64_t>(std::countr_zero(rest));
    from = (from / word_bits + 1) * word_bits;
  }
  return block_offsets;
}

void offset_set::insert(offset_range range) {
  while (!range.empty()) {
    const auto dense = dense_.lower_bound(block_of(range.begin));
    const offset_t dense_begin = dense == dense_.end() ? range.end : dense->first * block_offsets;
    if (dense_begin <= range.begin) {
      const offset_t end = std::min(range.end, (dense->first + 1) * block_offsets);
      insert_dense(dense->first, {range.begin, end});
      range.begin = end;
      continue;
    }
    const offset_t end = std::min(range.end, dense_begin);
    insert_sparse({range.begin, end});
    make_dense_if_crowded(block_of(range.begin));
    make_dense_if_crowded(block_of(end - 1));
    range.begin = end;
  }
}

void offset_set::insert_sparse(offset_range range) {
  auto next = ranges_.upper_bound(range.begin);
  if (next != ranges_.begin()) {
    const auto before = std::prev(next);
    if (before->second >= range.end) return;
    if (before->second >= range.begin) {
      range.begin = before->first;
      next = before;
    }
  }
  while (next != ranges_.end() && next->first <= range.end) {
    range.end = std::max(range.end, next->second);
    size_ -= next->second - next->first;
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, range.begin, range.end);
  size_ += range.size();
}

// Sets bits of a dense block. A block that is full becomes a range again.
void offset_set::insert_dense(std::uint64_t block, offset_range range) {
  const offset_t base = block * block_offsets;
  dense_block& bits = dense_.at(block);
  size_ += bits.set(range.begin - base, range.end - base);
  if (bits.next(0, false) < block_offsets) return;
  dense_.erase(block);
  size_ -= block_offsets;
  insert_sparse({base, base + block_offsets});
}

void offset_set::make_dense_if_crowded(std::uint64_t block) {
  const offset_t base = block * block_offsets, end = base + block_offsets;
  const auto first = ranges_.lower_bound(base);
  auto last = first;
  for (int count = 0; count <= ranges_per_block_max; ++count, ++last) {
    if (last == ranges_.end() || last->first >= end) return;
  }
  dense_block bits;
  std::uint64_t held = 0;
  for (auto range = range_from(base); range && range->begin < end; range = range_from(range->end)) {
    held += bits.set(std::max(range->begin, base) - base, std::min(range->end, end) - base);
    if (range->end >= end) break;
  }
  take_out({base, end});
  dense_.emplace(block, bits);
  size_ += held;
}

// Removes offsets from the sparse ranges.
void offset_set::take_out(offset_range range) {
  auto at = ranges_.upper_bound(range.begin);
  if (at != ranges_.begin() && std::prev(at)->second > range.begin) --at;
  while (at != ranges_.end() && at->first < range.end) {
    const offset_range found{at->first, at->second};
    at = ranges_.erase(at);
    size_ -= found.size();
    if (found.begin < range.begin) insert_sparse({found.begin, range.begin});
    if (found.end > range.end) insert_sparse({range.end, found.end});
    at = ranges_.lower_bound(std::max(range.begin, std::min(found.end, range.end)));
  }
}

void offset_set::erase(offset_range range) {
  if (range.empty()) return;
  take_out(range);
  for (auto dense = dense_.lower_bound(block_of(range.begin)); dense != dense_.end();) {
    const offset_t base = dense->first * block_offsets;
    if (base >= range.end) return;
    size_ -= dense->second.clear(std::max(base, range.begin) - base, std::min(base + block_offsets, range.end) - base);
    const bool is_empty = dense->second.next(0, true) == block_offsets;
    dense = is_empty ? dense_.erase(dense) : std::next(dense);
  }
}

bool offset_set::contains(offset_t offset) const {
  const auto dense = dense_.find(block_of(offset));
  if (dense != dense_.end()) return dense->second.get(offset % block_offsets);
  return piece_at(offset).has_value();
}

// Returns the part of the set around `offset` within one sparse range, or within one dense block.
std::optional<offset_range> offset_set::piece_at(offset_t offset) const {
  const auto dense = dense_.find(block_of(offset));
  if (dense != dense_.end()) {
    const offset_t base = dense->first * block_offsets;
    std::uint64_t first = offset - base;
    if (!dense->second.get(first)) return std::nullopt;
    while (first > 0 && dense->second.get(first - 1)) --first;
    return offset_range{base + first, base + dense->second.next(offset - base, false)};
  }
  const auto next = ranges_.upper_bound(offset);
  if (next == ranges_.begin()) return std::nullopt;
  const auto range = std::prev(next);
  if (range->second <= offset) return std::nullopt;
  return offset_range{range->first, range->second};
}

std::uint64_t offset_set::count(offset_range range) const {
  if (range.empty()) return 0;
  std::uint64_t found = 0;
  auto at = ranges_.upper_bound(range.begin);
  if (at != ranges_.begin() && std::prev(at)->second > range.begin) --at;
  for (; at != ranges_.end() && at->first < range.end; ++at) {
    found += std::min(at->second, range.end) - std::max(at->first, range.begin);
  }
  for (auto dense = dense_.lower_bound(block_of(range.begin)); dense != dense_.end(); ++dense) {
    const offset_t base = dense->first * block_offsets;
    if (base >= range.end) break;
    found += dense->second.count(std::max(base, range.begin) - base, std::min(base + block_offsets, range.end) - base);
  }
  return found;
}

std::optional<offset_range> offset_set::range_at(offset_t offset) const {
  auto range = piece_at(offset);
  if (!range) return std::nullopt;
  while (range->begin > 0) {
    const auto before = piece_at(range->begin - 1);
    if (!before) break;
    range->begin = before->begin;
  }
  while (const auto behind = piece_at(range->end)) range->end = behind->end;
  return range;
}

std::optional<offset_range> offset_set::range_from(offset_t offset) const {
  if (const auto range = range_at(offset)) return range;
  std::optional<offset_t> first;
  if (const auto next = ranges_.lower_bound(offset); next != ranges_.end()) first = next->first;
  for (auto dense = dense_.lower_bound(block_of(offset)); dense != dense_.end(); ++dense) {
    const offset_t base = dense->first * block_offsets;
    if (first && *first < base) break;
    const std::uint64_t bit = dense->second.next(offset > base ? offset - base : 0, true);
    if (bit == block_offsets) continue;
    first = std::min(first.value_or(base + bit), base + bit);
    break;
  }
  return first ? range_at(*first) : std::nullopt;
}

std::uint64_t offset_set::bytes() const {
  return ranges_.size() * node_bytes + dense_.size() * (node_bytes + sizeof(dense_block));
}

}  // namespace tidegate::store
