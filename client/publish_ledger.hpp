// Which publishes of a connection the broker has not settled. Ids rise from 1 without gaps, so the open ones are a
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

  // From the oldest unsettled publish to the newest, those between them that are settled included: what a window
  // bounds, so that one publish which is never confirmed cannot make this grow.
  std::size_t span() const { return marks_.size(); }
  bool settled() const { return marks_.empty(); }

  std::uint64_t open();
  // Takes back the newest, which was not sent after all.
  void withdraw();

  // The broker sent it back; its confirm follows. False: no such publish was ever sent.
  bool unroutable(std::uint64_t id);
  // Tells each publish settled by it, oldest first. Repeated confirms of one publish are told once. False: no such
  // publish was ever sent. `told` may open(), nothing else that changes it.
  bool settle(const codec::confirm& confirm, const listener& told);

 private:
  enum class mark : std::uint8_t { open, unroutable, settled };

  bool was_sent(std::uint64_t id) const { return id > 0 && id < front_ + marks_.size(); }
  void drop_settled();

  std::uint64_t front_ = 1;  // id of marks_.front(), or of the next publish
  std::deque<mark> marks_;
};

}  // namespace tidegate::client
