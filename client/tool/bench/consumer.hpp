// Takes, times, checks and acknowledges deliveries: what consumers, askers and answerers have in common.
#pragma once

#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {

class taking {
 public:
  taking(setting& setting, link& on, std::size_t stream, std::vector<consumed_queue> queues);

  awaitable<void> consume();
  // Returns the next delivery, counted, timed and checked; none if none comes in time.
  awaitable<std::optional<client::delivery>> next(std::chrono::milliseconds wait, timing latency);
  // Acknowledges everything that was taken so far, in one frame. Does nothing if it is acknowledged already.
  awaitable<void> acknowledge();
  // Enough was taken to send an acknowledgement, even if more deliveries are at hand.
  bool is_acknowledgement_due() const { return taken_ >= acknowledge_at_; }

 private:
  void count(const client::delivery& delivery, timing latency);

  setting& setting_;
  link& on_;
  figures& figures_;
  std::vector<consumed_queue> queues_;  // by consumer, minus one
  std::uint64_t acknowledge_at_;
  std::uint64_t taken_ = 0;
  std::uint64_t last_tag_ = 0;
};

}  // namespace tidegate::tool::bench
