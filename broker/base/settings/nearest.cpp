#include "broker/base/settings/nearest.hpp"

#include <algorithm>
#include <array>

namespace tidegate::settings {
namespace {

constexpr std::size_t word_bytes_max = 64;
using row = std::array<std::size_t, word_bytes_max + 1>;

// Returns Damerau's distance in its restricted form. Exchanged neighbours need three rows of the table and no more.
std::size_t distance(std::string_view a, std::string_view b) {
  row before_last{}, last{}, current{};
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replaced});
      const bool are_exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (are_exchanged) current[j] = std::min(current[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = current;
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > word_bytes_max) return {};
  std::string_view best;
  std::size_t edits = (word.size() + 2) / 3 + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > word_bytes_max) continue;
    const std::size_t edits_here = distance(word, candidate);
    if (edits_here < edits) {
      edits = edits_here;
      best = candidate;
    }
  }
  return best;
}

}  // namespace tidegate::settings
