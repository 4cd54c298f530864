// Sends publishes, and times and counts their confirms, for publishers, askers and answerers.
#pragma once

#include "client/signal.hpp"
#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {

class unconfirmed {
 public:
  // Sets the connection's confirmation handler.
  unconfirmed(setting& setting, link& on, std::size_t stream, std::size_t targets);
  unconfirmed(const unconfirmed&) = delete;
  unconfirmed& operator=(const unconfirmed&) = delete;

  bool has_room() const { return open_ < pending_.size(); }
  // Waits until a publish is settled, but at most look_interval. The caller checks has_room() again.
  awaitable<void> room();
  // Returns the sequence of the next message to the target.
  std::uint64_t next_sequence(std::size_t target) { return promises_[target].sent + 1; }
  awaitable<void> send(const message_view& message, std::size_t target, steady_clock::time_point sent);
  awaitable<void> drain() { return on_.connection.drain(); }
  // Returns the promises by target. Publishes that were still open when the connection ended are excused.
  std::span<const promise> conclude();

 private:
  struct publish {
    std::uint64_t id = 0;  // 0 = settled
    std::size_t target = 0;
    std::uint64_t sequence = 0;
    steady_clock::time_point sent = {};
  };
  void settled(const client::confirmation& confirmation);
  publish& place_of(std::uint64_t id) { return pending_[id % pending_.size()]; }

  setting& setting_;
  link& on_;
  figures& figures_;
  client::signal room_;
  bool waits_ = false;
  std::size_t open_ = 0;
  std::vector<publish> pending_;  // by id modulo the window, so that no two open publishes share a place
  std::vector<promise> promises_;
};

}  // namespace tidegate::tool::bench
