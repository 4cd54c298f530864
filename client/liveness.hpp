// When a connection was last heard of, and when its silence ends it. A heartbeat without a sign of life asks for one by
// a Ping; two without an answer mean that the broker is gone.
#pragma once

#include <chrono>
#include <optional>

namespace tidegate::client {

class liveness {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  explicit liveness(duration heartbeat) : heartbeat_(heartbeat) {}
  void set_heartbeat(duration heartbeat) { heartbeat_ = heartbeat; }
  void start(time_point now) { received_at_ = sent_at_ = pinged_at_ = now; }

  void received(time_point now) { received_at_ = now; }
  void begin_write(time_point now) { writing_since_ = now; }
  void end_write(time_point now);
  void pinged(time_point now) { pinged_at_ = now; }

  // Returns when the broker counts as gone. A write that does not end counts as silence, too.
  time_point dead_at() const;
  // Returns when the next Ping is due. The broker's silence alone is a reason for one: its Pong tells a quiet broker
  // from a dead one.
  time_point ping_at() const;
  // Returns the silence after which the broker counts as gone.
  duration silence_max() const { return 2 * heartbeat_; }

 private:
  duration heartbeat_;
  time_point received_at_;
  time_point sent_at_;
  time_point pinged_at_;
  std::optional<time_point> writing_since_;
};

}  // namespace tidegate::client
