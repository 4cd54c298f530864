// A connection's deliveries that are not settled yet, by tag. Tags rise and are settled in about that order, so they
// stand in a line; what is settled out of turn leaves a hole, until it comes to the front or holes are the most.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "broker/core/events/events.hpp"

namespace tidegate::native {

class unsettled_deliveries {
 public:
  struct delivery {
    std::uint64_t tag;
    core::consumer_id consumer;
    offset_t offset;
    bool is_settled = false;
  };

  // The tag is above all that were ever added.
  void add(std::uint64_t tag, core::consumer_id consumer, offset_t offset);
  // Takes it out; none: it is not there.
  std::optional<delivery> take(std::uint64_t tag);
  // Takes out all up to this tag, by rising tags.
  void take_through(std::uint64_t tag, const std::function<void(const delivery&)>& taken);
  void forget(core::consumer_id consumer);
  // What it keeps memory for: up to twice of what is unsettled, and some.
  std::size_t places() const { return line_.size(); }

 private:
  void settle(delivery& delivery);
  void trim();

  std::deque<delivery> line_;
  std::size_t holes_ = 0;
};

}  // namespace tidegate::native
