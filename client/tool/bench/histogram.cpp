#include "client/tool/bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidegate::tool::bench {

// Each value below `steps` has its own bucket. Above, the width of a bucket is 1/64 of its power of two, so its middle
// is at most 1/128 away from the values in the bucket.
std::size_t histogram::bucket_of(std::uint64_t value) {
  if (value < steps) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - step_bits;
  return (shift + 1) * steps + ((value >> shift) - steps);
}

std::uint64_t histogram::middle_of(std::size_t bucket) {
  if (bucket < 2 * steps) return bucket;
  const std::size_t shift = bucket / steps - 1;
  const std::uint64_t low = (bucket % steps + steps) << shift;
  return low + (std::uint64_t{1} << shift) / 2;
}

void histogram::add(std::uint64_t value) {
  ++counts_[bucket_of(value)];
  ++count_;
  sum_ += static_cast<double>(value);
  most_ = std::max(most_, value);
}

void histogram::merge(const histogram& other) {
  for (std::size_t i = 0; i < buckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  most_ = std::max(most_, other.most_);
}

std::uint64_t histogram::percentile(double percent) const {
  const auto rank = static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    passed += counts_[i];
    if (passed > 0 && passed >= rank) return std::min(middle_of(i), most_);
  }
  return most_;
}

}  // namespace tidegate::tool::bench
