// Counts and latencies of the roles of one thread, for one of the run's streams of messages.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "broker/base/error.hpp"
#include "client/tool/bench/histogram.hpp"

namespace tidegate::tool::bench {

enum class tally : std::uint8_t { published, confirmed, refused, unsent, delivered, acknowledged, delivered_bytes };
constexpr std::size_t tallies = 7;
using counts = std::array<std::uint64_t, tallies>;
inline std::uint64_t& at(counts& of, tally which) { return of[static_cast<std::size_t>(which)]; }
inline std::uint64_t at(const counts& of, tally which) { return of[static_cast<std::size_t>(which)]; }

enum class timing : std::uint8_t { publish_to_confirm, publish_to_deliver, round_trip, fetch };
constexpr std::size_t timings = 4;

// Written by one thread. Other threads may read the counts at any time, and the rest after that thread has ended.
class figures {
 public:
  void add(tally which, std::uint64_t count = 1) {
    std::atomic<std::uint64_t>& to = counts_[static_cast<std::size_t>(which)];
    to.store(to.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);  // no other thread writes `to`
  }
  std::uint64_t count(tally which) const {
    return counts_[static_cast<std::size_t>(which)].load(std::memory_order_relaxed);
  }
  void add_refused(std::uint64_t count, const error& cause) {
    add(tally::refused, count);
    if (!refusal_) refusal_ = cause;
  }
  // Returns the cause of the first refusal; none = no message was refused.
  const std::optional<error>& refusal() const { return refusal_; }
  histogram& latency(timing which) { return latencies_[static_cast<std::size_t>(which)]; }

 private:
  std::array<std::atomic<std::uint64_t>, tallies> counts_ = {};
  std::array<histogram, timings> latencies_;
  std::optional<error> refusal_;
};

}  // namespace tidegate::tool::bench
