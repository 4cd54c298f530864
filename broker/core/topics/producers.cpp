#include "broker/core/topics/producers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/limits.hpp"

namespace tidegate::core::topics {

producers::producers(const std::unordered_map<std::string, store::producer_state>& found, const clock& clock)
    : clock_(clock) {
  for (const auto& [id, state] : found) entries_[id] = {state, state, clock_.monotonic()};
}

result<sequence_check> producers::check(const producer_ref& producer, std::uint64_t sequence) const {
  const auto found = entries_.find(std::string(producer.id));
  if (found == entries_.end()) return sequence_check::fresh;
  const store::producer_state& known = found->second.current;
  if (known.epoch == producer.epoch) {
    return sequence <= known.sequence ? sequence_check::duplicate : sequence_check::fresh;
  }
  if (!producer.epochs_rise || producer.epoch > known.epoch) return sequence_check::fresh;
  return error{errc::fenced,
               fmt::format("producer '{}' has epoch {}; a newer one with epoch {} has taken over", producer.id,
                           producer.epoch, known.epoch),
               "producer_epoch"};
}

void producers::advance(const producer_ref& producer, std::uint64_t sequence, store::commit_group& group,
                        bool is_written) {
  const auto [found, is_new] = entries_.try_emplace(std::string(producer.id));
  found->second.current = {producer.epoch, sequence, clock_.wall().count()};
  found->second.heard = clock_.monotonic();
  if (is_written) group.set_producer(producer.id, found->second.current);
  if (!is_written) found->second.durable = found->second.current;
  if (!is_new || entries_.size() <= limits::producers_count) return;
  found->second.heard = milliseconds::max();  // so that the new producer is not the one that is forgotten
  const auto oldest = std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.heard, a.second.current.timestamp_ms) <
           std::pair(b.second.heard, b.second.current.timestamp_ms);
  });
  found->second.heard = clock_.monotonic();
  group.erase_producer(oldest->first);
  entries_.erase(oldest);
}

bool producers::is_on_its_way(const producer_ref& producer) const {
  const auto found = entries_.find(std::string(producer.id));
  if (found == entries_.end()) return false;
  const auto& [current, durable, heard] = found->second;
  return !durable || durable->epoch != current.epoch || durable->sequence != current.sequence;
}

void producers::made_durable(const producer_changes& changes) {
  for (const auto& [id, state] : changes) {
    const auto found = entries_.find(id);
    if (state && found != entries_.end()) found->second.durable = state;
  }
}

void producers::restore_durable() {
  std::erase_if(entries_, [](const auto& item) { return !item.second.durable; });
  for (auto& [id, entry] : entries_) entry.current = *entry.durable;
}

std::uint64_t producers::durable_sequence(const producer_ref& producer) const {
  const auto found = entries_.find(std::string(producer.id));
  if (found == entries_.end() || !found->second.durable || found->second.durable->epoch != producer.epoch) return 0;
  return found->second.durable->sequence;
}

void producers::expire(store::commit_group& group) {
  const milliseconds before = clock_.monotonic() - limits::producer_idle;
  std::erase_if(entries_, [&](const auto& item) {
    if (item.second.heard >= before) return false;
    group.erase_producer(item.first);
    return true;
  });
}

}  // namespace tidegate::core::topics
