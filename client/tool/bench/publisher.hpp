// Publishes that wait for their confirms, timed and counted: what publishers, askers and answerers have in common.
#pragma once

#include "client/signal.hpp"
#include "client/tool/bench/role.hpp"

namespace tidegate::tool::bench {

class unconfirmed {
 public:
  // Takes the connection's confirmations for itself.
  unconfirmed(setting& setting, link& on, std::size_t stream, std::size_t targets);
  unconfirmed(const unconfirmed&) = delete;
  unconfirmed& operator=(const unconfirmed&) = delete;

  bool has_room() const { return open_ < pending_.size(); }
  awaitable<void> room();
  // The next sequence into a target.
  std::uint64_t next_sequence(std::size_t target) { return promises_[target].sent + 1; }
  awaitable<void> send(const message_view& message, std::size_t target, steady_clock::time_point sent);
  awaitable<void> drain() { return on_.connection.drain(); }
  // Those that the connection's end left open may be missing.
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
  std::vector<publish> pending_;  // by id; as many as the window, so that no two open ones share a place
  std::vector<promise> promises_;
};

}  // namespace tidegate::tool::bench
