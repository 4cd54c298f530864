#include "broker/core/queues/levels.hpp"

namespace tidegate::core::queues {

void levels::add(std::uint8_t level, stream_id stream, const store::stream_ledger* found) {
  if (lanes_.size() <= level) lanes_.resize(level + 1u);
  lanes_[level] = found != nullptr ? std::make_unique<lane>(queue_, stream, level, *found)
                                   : std::make_unique<lane>(queue_, stream, level);
}

std::vector<lane*> levels::all() const {
  std::vector<lane*> all;
  for (const auto& lane : lanes_) {
    if (lane) all.push_back(lane.get());
  }
  return all;
}

lane* levels::find(stream_id stream) const {
  for (const auto& lane : lanes_) {
    if (lane && lane->stream() == stream) return lane.get();
  }
  return nullptr;
}

amount levels::ready() const {
  amount sum;
  for (const auto& lane : lanes_) {
    if (lane) sum += lane->ready();
  }
  return sum;
}

amount levels::coming() const {
  amount sum;
  for (const auto& lane : lanes_) {
    if (lane) sum += lane->coming();
  }
  return sum;
}

std::uint64_t levels::out() const {
  std::uint64_t sum = 0;
  for (const auto& lane : lanes_) sum += lane ? lane->out() : 0;
  return sum;
}

}  // namespace tidegate::core::queues
