// The line of consumers: which consumers of a queue may have its next messages. Consumers of higher priority come
// first, as long as they have credit; those of one priority take turns. With a single active consumer, the others wait
// until it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "broker/base/limits.hpp"
#include "broker/core/events/events.hpp"

namespace tidegate::core::queues {

class queue;

struct consumer {
  consumer_id id{};
  session_id session{};
  queue* source = nullptr;
  std::uint32_t prefetch = limits::prefetch_max;
  bool auto_ack = false;
  bool is_exclusive = false;  // the only consumer
  std::int32_t priority = 0;
  bool told = false;        // knows that messages are ready, from an event or from pull_result::more
  std::uint64_t round = 0;  // round of the queue in which the consumer last received its part
  std::size_t unsettled = 0;

  bool has_credit() const { return unsettled < prefetch; }
};

class consumer_line {
 public:
  // By falling priority; of one priority, in the order in which they came.
  const std::vector<consumer*>& consumers() const { return consumers_; }
  void add(consumer& consumer);
  void remove(consumer& consumer);

  // Returns whether the consumer is the one that gets messages, if one at a time does, and no consumer of a higher
  // priority has credit.
  bool may_take(const consumer& consumer, bool is_single_active) const;
  // Notes that the consumer was served: others of its priority are told before it the next time.
  void served(const consumer& consumer);
  // Calls `tell` for the consumers for which `wants` returns true and that do not know yet, until `count` consumers
  // know. Begins after the consumer that was served last.
  void wake(std::uint64_t count, const std::function<bool(const consumer&)>& wants,
            const std::function<void(consumer&)>& tell);

 private:
  std::vector<consumer*> consumers_;
  consumer* active_ = nullptr;  // the first that came, or the one that followed when it ended
  std::size_t next_ = 0;        // place in consumers_ at which wake() begins
};

}  // namespace tidegate::core::queues
