// A session's deliveries that are not settled yet, by number. Numbers rise and are settled in about that order, so they
// stand in a line; what is settled out of turn leaves a hole, until it comes to the front or holes are the most.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "broker/base/line.hpp"
#include "broker/core/queues/queue.hpp"

namespace tidegate::core::api {

// Outlives its consumer, whose credit it then no longer takes.
struct delivery {
  std::uint64_t number = 0;
  queues::queue* from = nullptr;  // null: it is settled
  queues::consumer* consumer = nullptr;
  queues::held_message message;
};

class deliveries {
 public:
  using taker = std::function<void(const delivery&)>;

  // Returns the number of what was delivered and is settled already.
  std::uint64_t count() { return ++last_; }
  // Returns the number of what has to be settled.
  std::uint64_t add(queues::consumer& consumer, const queues::held_message& message);
  std::uint64_t last() const { return last_; }

  // Takes out one; none: it is not there.
  std::optional<delivery> take(std::uint64_t number);
  // Take out several, by rising numbers: all up to this one, or all that the chosen condition holds for.
  void take_through(std::uint64_t number, const taker& taken);
  void take_if(const std::function<bool(const delivery&)>& chosen, const taker& taken);
  // Leaves what it has out, without it.
  void forget(const queues::consumer& consumer);
  // What it keeps memory for: up to twice of what is unsettled, and some.
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
