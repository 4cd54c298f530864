#include "client/publish_ledger.hpp"

namespace tidegate::client {

std::uint64_t publish_ledger::open() {
  marks_.push_back(mark::open);
  return front_ + marks_.size() - 1;
}

void publish_ledger::withdraw() { marks_.pop_back(); }

bool publish_ledger::unroutable(std::uint64_t id) {
  if (!was_sent(id)) return false;
  if (id >= front_ && marks_[id - front_] == mark::open) marks_[id - front_] = mark::unroutable;
  return true;
}

bool publish_ledger::settle(const codec::confirm& confirm, const listener& told) {
  if (!was_sent(confirm.id)) return false;
  for (std::uint64_t id = confirm.multiple ? front_ : confirm.id; id <= confirm.id; ++id) {
    if (id < front_ || marks_[id - front_] == mark::settled) continue;
    const bool unroutable = marks_[id - front_] == mark::unroutable;
    marks_[id - front_] = mark::settled;
    told({.id = id, .failure = confirm.failure, .unroutable = unroutable});
  }
  drop_settled();
  return true;
}

void publish_ledger::drop_settled() {
  while (!marks_.empty() && marks_.front() == mark::settled) {
    marks_.pop_front();
    ++front_;
  }
}

}  // namespace tidegate::client
