// The publishes of a connection that the broker has not settled. Ids rise from 1 without gaps, so open publishes are a
// span of numbers with a mark each, and a cumulative confirm is a walk from its front.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "client/codec.hpp"

namespace tidegate::client {

class publish_ledger {
 public:
  using listener = std::function<void(const confirmation&)>;

  // Returns how many publishes there are from the oldest unsettled one to the newest, including settled ones between
  // them. The publish window bounds this number, so that one publish that is never confirmed cannot make the ledger
  // grow.
  std::size_t span() const { return marks_.size(); }
  bool settled() const { return marks_.empty(); }

  std::uint64_t open();
  // Removes the newest publish, which was not sent after all.
  void withdraw();

  // Records that the broker returned a publish; its confirm follows. Returns false if no such publish was sent.
  bool unroutable(std::uint64_t id);
  // Calls `told` for each publish that the confirm settles, oldest first; once if a confirm is repeated. Returns false
  // if no such publish was sent. `told` may call open(), but no other function that changes the ledger.
  bool settle(const codec::confirm& confirm, const listener& told);

 private:
  enum class mark : std::uint8_t { open, unroutable, settled };

  bool was_sent(std::uint64_t id) const { return id > 0 && id < front_ + marks_.size(); }
  void drop_settled();

  std::uint64_t front_ = 1;  // id of marks_.front(), or of the next publish
  std::deque<mark> marks_;
};

}  // namespace tidegate::client
