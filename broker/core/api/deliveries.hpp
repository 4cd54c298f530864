// The unsettled deliveries of one session, by number. Numbers rise and are settled in about that order, so deliveries
// are kept in a line. A delivery that is settled out of order leaves a hole. Holes are removed when they reach the
// front, or when more than half of the line are holes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "broker/base/line.hpp"
#include "broker/core/queues/queue.hpp"

namespace tidegate::core::api {

// A delivery may outlive its consumer; it then counts against no consumer's prefetch.
struct delivery {
  std::uint64_t number = 0;
  queues::queue* from = nullptr;         // null = settled: a hole
  queues::consumer* consumer = nullptr;  // null = the consumer has ended, or there was none
  queues::held_message message;
};

class deliveries {
 public:
  using taker = std::function<void(const delivery&)>;

  // Returns the next number, for a delivery that is settled already (auto_ack).
  std::uint64_t count() { return ++last_; }
  // Adds a delivery that has to be settled. Returns its number.
  std::uint64_t add(queues::queue& from, queues::consumer* consumer, const queues::held_message& message);
  // Returns the newest number; 0 = none yet.
  std::uint64_t last() const { return last_; }

  // Removes and returns the delivery; none if no delivery of this number is unsettled.
  std::optional<delivery> take(std::uint64_t number);
  // Removes several deliveries, in rising order of their numbers: all up to `number`, or all for which `chosen` returns
  // true. Calls `taken` for each.
  void take_through(std::uint64_t number, const taker& taken);
  void take_if(const std::function<bool(const delivery&)>& chosen, const taker& taken);
  // Calls `each` for the deliveries with numbers from `first` to `last`.
  void each_from(std::uint64_t first, std::uint64_t last, const taker& each) const;
  // Detaches the consumer, which has ended, from its deliveries. These stay unsettled.
  void forget(const queues::consumer& consumer);
  // Returns the length of the line with its holes: at most about twice the number of unsettled deliveries, plus 64.
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
