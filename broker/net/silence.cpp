#include "broker/net/silence.hpp"

#include <utility>

namespace tidegate::net {

silence::due silence::look(milliseconds now, const bounds& bounds) {
  const milliseconds silent = length(now);
  if (silent >= bounds.end_after) return due::end;
  if (silent < bounds.ask_after || std::exchange(asked_, true)) return due::nothing;
  return due::ask;
}

milliseconds silence::deadline(const bounds& bounds) const {
  const milliseconds after = asked_ ? bounds.end_after : std::min(bounds.ask_after, bounds.end_after);
  return after == milliseconds::max() ? after : heard_ + after;
}

}  // namespace tidegate::net
