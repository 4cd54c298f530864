// A session's unsettled deliveries, by number. Numbers rise and are settled in about that order, so they are kept in a
// line. A delivery that is settled out of order leaves a hole, until the hole comes to the front or holes are the
// majority.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "broker/base/line.hpp"
#include "broker/core/queues/queue.hpp"

namespace tidegate::core::api {

// Outlives its consumer, and then counts no more towards its credit.
struct delivery {
  std::uint64_t number = 0;
  queues::queue* from = nullptr;  // null = settled
  queues::consumer* consumer = nullptr;
  queues::held_message message;
};

class deliveries {
 public:
  using taker = std::function<void(const delivery&)>;

  // Returns the number of a delivery that is settled already.
  std::uint64_t count() { return ++last_; }
  // Returns the number of a delivery that has to be settled.
  std::uint64_t add(queues::consumer& consumer, const queues::held_message& message);
  std::uint64_t last() const { return last_; }

  // Removes one; returns none if it is not there.
  std::optional<delivery> take(std::uint64_t number);
  // Remove several, in the order of their numbers: all up to this one, or all that fulfil the condition.
  void take_through(std::uint64_t number, const taker& taken);
  void take_if(const std::function<bool(const delivery&)>& chosen, const taker& taken);
  // The consumer has ended: keeps its deliveries without it.
  void forget(const queues::consumer& consumer);
  // Returns how many places take memory: up to twice the unsettled deliveries, and some.
  std::size_t places() const { return line_.size(); }

 private:
  void settle(delivery& delivery);
  void trim();
  void give_back_memory();

  line<delivery> line_;
  std::size_t holes_ = 0;
  std::uint64_t last_ = 0;
};

}  // namespace tidegate::core::api
