// Receives, times, checks and acknowledges deliveries, for consumers, askers and answerers.
#pragma once

#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {

class taking {
 public:
  taking(setting& setting, link& on, std::size_t stream, std::vector<consumed_queue> queues);

  // Starts to consume from all queues.
  awaitable<void> consume();
  // Returns the next delivery, after it was counted, timed as `latency` and checked; none if none comes in time.
  awaitable<std::optional<client::delivery>> next(std::chrono::milliseconds wait, timing latency);
  // Acknowledges all deliveries so far in one frame. Does nothing if they are acknowledged already.
  awaitable<void> acknowledge();
  // Returns whether enough deliveries are unacknowledged to acknowledge them now, even if more are at hand.
  bool is_acknowledgement_due() const { return taken_ >= acknowledge_at_; }

 private:
  void count(const client::delivery& delivery, timing latency);

  setting& setting_;
  link& on_;
  figures& figures_;
  std::vector<consumed_queue> queues_;  // by the consumer's number - 1
  client::outcome outcome_;
  std::uint64_t acknowledge_at_;
  std::uint64_t taken_ = 0;
  std::uint64_t last_tag_ = 0;
};

}  // namespace tidegate::tool::bench
