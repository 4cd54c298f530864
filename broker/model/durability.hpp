// When what a queue or a topic is given has to be on flash, if ever. A confirm comes after the commit; this says how
// long the commit may be put off for it, or that there is none.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"

namespace tidegate {

struct durability {
  enum class mode : std::uint8_t {
    commit,    // the next commit is made for it
    interval,  // it rides on commits that others need, and forces one when it has waited so long
    memory,    // it is never written, and gone with the process
  };
  mode how = mode::commit;
  std::chrono::milliseconds interval{0};  // of that mode: how long it waits at most

  static durability every(std::chrono::milliseconds interval) { return {mode::interval, interval}; }
  static durability memory() { return {mode::memory}; }
  bool is_memory() const { return how == mode::memory; }
  friend bool operator==(const durability&, const durability&) = default;
};

std::string to_text(durability durability);
// "commit", "interval:<ms>" within limits::durability_interval_max, or "memory".
result<durability> parse_durability(std::string_view text);

}  // namespace tidegate
