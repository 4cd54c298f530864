// A set of numbers that arrive almost in order, kept as runs without a gap: the memory follows the number of gaps.
#pragma once

#include <cstdint>
#include <map>

namespace tidegate::tool::bench {

class sequence_set {
 public:
  // Above so many runs the set takes no new ones and overflown() is true: at most ~4 MiB.
  static constexpr std::size_t runs_max = 65'536;

  // Returns false if the number was there already.
  bool insert(std::uint64_t number);
  bool contains(std::uint64_t number) const;
  // Numbers were left out, so missing() is meaningless.
  bool overflown() const { return overflown_; }

  struct absence {
    std::uint64_t count = 0;
    std::uint64_t first = 0;
  };
  // Returns the numbers from 1 to `last` that are neither here nor in `excused`.
  absence missing(std::uint64_t last, const sequence_set& excused) const;

 private:
  // Counts numbers of `excused` in [first, last].
  static std::uint64_t overlap(const sequence_set& excused, std::uint64_t first, std::uint64_t last);
  void add_missing(absence& to, std::uint64_t first, std::uint64_t last, const sequence_set& excused) const;

  std::map<std::uint64_t, std::uint64_t> runs_;  // first to last
  bool overflown_ = false;
};

}  // namespace tidegate::tool::bench
