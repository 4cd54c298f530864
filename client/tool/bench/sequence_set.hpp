// A set of numbers that come almost in order. It is kept as runs without gaps, so its memory grows only with the number
// of gaps.
#pragma once

#include <cstdint>
#include <map>

namespace tidegate::tool::bench {

class sequence_set {
 public:
  // Most runs that are kept: ~4 MiB. A number that needs one more is left out, and overflown() is true from then on.
  static constexpr std::size_t runs_max = 65'536;

  // Adds a number. Returns false if the set already had it.
  bool insert(std::uint64_t number);
  bool contains(std::uint64_t number) const;
  // Returns whether numbers were left out. The result of missing() is worth nothing then.
  bool overflown() const { return overflown_; }

  struct absence {
    std::uint64_t count = 0;
    std::uint64_t first = 0;
  };
  // Returns how many of the numbers from 1 to `last` are neither in this set nor in `excused`, and the first of them.
  absence missing(std::uint64_t last, const sequence_set& excused) const;

 private:
  // Returns how many numbers of `excused` are in [first, last].
  static std::uint64_t overlap(const sequence_set& excused, std::uint64_t first, std::uint64_t last);
  void add_missing(absence& to, std::uint64_t first, std::uint64_t last, const sequence_set& excused) const;

  std::map<std::uint64_t, std::uint64_t> runs_;  // first to last
  bool overflown_ = false;
};

}  // namespace tidegate::tool::bench
