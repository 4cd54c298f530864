// A table of coroutines that each wait for one result, found by a number.
#pragma once

#include <optional>
#include <unordered_map>
#include <utility>

#include "client/signal.hpp"

namespace tidegate::client {

template <class Result>
class waiting_table {
 public:
  // The entry of one waiting coroutine. It is a local object of that coroutine and leaves the table when the coroutine
  // ends, in whatever way. The table has to outlive the entry.
  class place {
   public:
    place(waiting_table& table, std::uint64_t number, boost::asio::any_io_executor executor)
        : told_(std::move(executor)), table_(table), number_(number) {
      table_.places_.emplace(number_, this);
    }
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() { table_.places_.erase(number_); }

    std::optional<Result>& result() { return result_; }
    // Returns when tell() or notify() was called, or at the deadline.
    boost::asio::awaitable<void> wait_until(signal::time_point deadline) { return told_.wait_until(deadline); }

   private:
    friend waiting_table;

    signal told_;
    std::optional<Result> result_;
    waiting_table& table_;
    std::uint64_t number_;
  };

  // Stores the result for the coroutine that waits for this number, and wakes the coroutine. Returns false if none
  // waits.
  bool tell(std::uint64_t number, Result result) {
    const auto found = places_.find(number);
    if (found == places_.end()) return false;
    found->second->result_ = std::move(result);
    found->second->told_.notify();
    return true;
  }

  // Wakes all coroutines without giving them a result.
  void notify() {
    for (const auto& [number, place] : places_) place->told_.notify();
  }

 private:
  std::unordered_map<std::uint64_t, place*> places_;
};

}  // namespace tidegate::client
