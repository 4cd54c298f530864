// Counts durations (or any numbers from 0 on) in buckets that widen with the value: 64 buckets for each power of two. A
// percentile is within 1 % of the exact one. Count, mean and most are exact. A histogram never takes more than 30 KiB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tidegate::tool::bench {

class histogram {
 public:
  void add(std::uint64_t value);
  void merge(const histogram& other);

  std::uint64_t count() const { return count_; }
  std::uint64_t most() const { return most_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // Returns the value that `percent` (above 0, at most 100) of the values do not exceed; 0 if there are no values.
  std::uint64_t percentile(double percent) const;

 private:
  static constexpr unsigned step_bits = 6;
  static constexpr std::size_t steps = std::size_t{1} << step_bits;
  static constexpr std::size_t buckets = (64 - step_bits + 1) * steps;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t middle_of(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_ = {};
  std::uint64_t count_ = 0;
  std::uint64_t most_ = 0;
  double sum_ = 0;
};

}  // namespace tidegate::tool::bench
