#include "broker/core/commits/recent_commits.hpp"

#include <algorithm>

namespace tidegate::core::commits {
namespace {

constexpr std::int64_t second_ms = 1'000;

}  // namespace

void recent_commits::add(milliseconds now, std::optional<milliseconds> waited) {
  const std::int64_t number = now.count() / second_ms;
  second& second = seconds_[static_cast<std::size_t>(number % seconds_kept)];
  if (second.number != number) second = {number, 0, 0, milliseconds(0), milliseconds(0)};
  ++second.commits;
  if (!waited) return;
  ++second.awaited;
  second.waited += *waited;
  second.waited_longest = std::max(second.waited_longest, *waited);
}

recent_commits::figures recent_commits::at(milliseconds now) const {
  const std::int64_t oldest = now.count() / second_ms - (seconds_kept - 1);
  std::uint64_t commits = 0, awaited = 0;
  milliseconds waited{0}, longest{0};
  for (const second& second : seconds_) {
    if (second.number < oldest) continue;
    commits += second.commits;
    awaited += second.awaited;
    waited += second.waited;
    longest = std::max(longest, second.waited_longest);
  }
  const auto covered_ms = static_cast<double>(now.count() - std::max<std::int64_t>(oldest, 0) * second_ms);
  return {static_cast<double>(commits) * static_cast<double>(second_ms) / std::max(covered_ms, 1.0),
          awaited == 0 ? 0 : static_cast<double>(waited.count()) / static_cast<double>(awaited), longest};
}

}  // namespace tidegate::core::commits
