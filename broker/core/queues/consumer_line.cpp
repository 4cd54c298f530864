#include "broker/core/queues/consumer_line.hpp"

#include <algorithm>

namespace tidegate::core::queues {

void consumer_line::add(consumer& consumer) {
  const auto place = std::find_if(consumers_.begin(), consumers_.end(),
                                  [&](const auto* one) { return one->priority < consumer.priority; });
  consumers_.insert(place, &consumer);
  if (active_ == nullptr) active_ = &consumer;
  next_ = 0;
}

void consumer_line::remove(consumer& consumer) {
  std::erase(consumers_, &consumer);
  if (active_ == &consumer) active_ = consumers_.empty() ? nullptr : consumers_.front();
  next_ = 0;
}

bool consumer_line::may_take(const consumer& consumer, bool is_single_active) const {
  if (is_single_active) return active_ == &consumer;
  for (const auto* const one : consumers_) {
    if (one->priority <= consumer.priority) return true;
    if (one->has_credit()) return false;
  }
  return true;
}

void consumer_line::served(const consumer& consumer) {
  // Mostly the consumer at which wake() began.
  if (next_ >= consumers_.size() || consumers_[next_] != &consumer) {
    const auto found = std::find(consumers_.begin(), consumers_.end(), &consumer);
    next_ = static_cast<std::size_t>(found - consumers_.begin());
  }
  next_ = next_ + 1 < consumers_.size() ? next_ + 1 : 0;
}

void consumer_line::wake(std::uint64_t count, const std::function<bool(const consumer&)>& wants,
                         const std::function<void(consumer&)>& tell) {
  const std::size_t consumers = consumers_.size(), first = next_;
  for (std::size_t i = 0; i < consumers && count > 0; ++i) {
    consumer& one = *consumers_[(first + i) % consumers];
    if (!wants(one)) continue;
    --count;
    if (!one.told) tell(one);
  }
}

}  // namespace tidegate::core::queues
