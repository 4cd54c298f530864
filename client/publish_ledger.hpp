// Keeps track of a connection's publishes that the broker has not settled. Ids count up from 1 without gaps, so the
// ledger is a span of ids with one mark each. A cumulative confirm settles all ids from the front of the span.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "client/codec.hpp"

namespace tidegate::client {

class publish_ledger {
 public:
  using listener = std::function<void(const confirmation&)>;

  // Returns the number of publishes from the oldest unsettled one to the newest, including settled ones in between. A
  // window must bound this number, so that one publish that is never confirmed cannot make the ledger grow.
  std::size_t span() const { return marks_.size(); }
  // Returns whether every publish is settled.
  bool settled() const { return marks_.empty(); }

  // Adds a publish and returns its id.
  std::uint64_t open();
  // Removes the newest publish, which was not sent.
  void withdraw();

  // Notes that the broker returned the publish as unroutable; its confirm follows. Returns false if no such publish was
  // ever sent.
  bool unroutable(std::uint64_t id);
  // Calls `told` for each publish that the confirm settles, oldest first. A publish that is confirmed again is not
  // reported again. Returns false if no such publish was ever sent. `told` may call open(), and nothing else that
  // changes the ledger.
  bool settle(const codec::confirm& confirm, const listener& told);

 private:
  enum class mark : std::uint8_t { open, unroutable, settled };

  bool was_sent(std::uint64_t id) const { return id > 0 && id < front_ + marks_.size(); }
  void drop_settled();

  std::uint64_t front_ = 1;  // id of marks_.front(), or of the next publish
  std::deque<mark> marks_;
};

}  // namespace tidegate::client
