// When messages of a queue or a topic have to be on flash, if ever. A confirm comes after the commit; the durability
// says how long the commit may be delayed, or that there is none.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"

namespace tidegate {

struct durability {
  enum class mode : std::uint8_t {
    commit,    // the next commit is made for them
    interval,  // they wait for a commit that other work needs; after `interval` one is made for them
    memory,    // they are never written, and gone when the process ends
  };
  mode how = mode::commit;
  std::chrono::milliseconds interval{0};  // how long messages wait at most in that mode

  static durability every(std::chrono::milliseconds interval) { return {mode::interval, interval}; }
  static durability memory() { return {mode::memory}; }
  bool is_memory() const { return how == mode::memory; }
  friend bool operator==(const durability&, const durability&) = default;
};

std::string to_text(durability durability);
// Reads "commit", "interval:<ms>" with 1 to limits::durability_interval_max, or "memory". Error: anything else.
result<durability> parse_durability(std::string_view text);

}  // namespace tidegate
