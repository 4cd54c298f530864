// Chance by a seed: the same on every machine, which the standard's distributions are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace tidegate::faults {

class draw {
 public:
  explicit draw(std::uint64_t seed) : engine_(seed) {}
  // Below `bound`, which is not 0.
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
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
