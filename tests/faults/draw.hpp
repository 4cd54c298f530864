// Random choices from a seed, the same on every machine. The standard library's distributions are not, and are not
// used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace tidegate::faults {

class draw {
 public:
  explicit draw(std::uint64_t seed) : engine_(seed) {}
  // Returns a number below `bound`, which must not be 0.
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  // Returns a number from `least` to `most`, both included.
  std::uint64_t between(std::uint64_t least, std::uint64_t most) { return least + below(most - least + 1); }
  bool percent(unsigned chance) { return below(100) < chance; }
  template <class T>
  const T& one_of(const std::vector<T>& things) {
    return things[below(things.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tidegate::faults
