// When what a queue or a topic is given has to be on flash. A confirm always comes after the commit; this says how
// long the commit may be put off for it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"

namespace tidegate {

struct durability {
  // 0 = "commit": the next commit is made for it. Otherwise "interval:<ms>": it rides on commits that others need, and
  // forces one when it has waited so long.
  std::chrono::milliseconds interval{0};
  friend bool operator==(const durability&, const durability&) = default;
};

std::string to_text(durability durability);
// "commit", or "interval:<ms>" within limits::durability_interval_max.
result<durability> parse_durability(std::string_view text);

}  // namespace tidegate
