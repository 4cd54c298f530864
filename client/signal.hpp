// Wakes waiting coroutines because something has changed. The waiting coroutine checks what. All on one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <vector>

namespace tidegate::client {

class signal {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit signal(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  signal(const signal&) = delete;
  signal& operator=(const signal&) = delete;

  // Returns after the next notify() or at the deadline, whichever comes first. The signal has to outlive the wait.
  boost::asio::awaitable<void> wait_until(time_point deadline);
  // Wakes every coroutine that waits now.
  void notify();

 private:
  struct registration;

  boost::asio::any_io_executor executor_;
  std::vector<boost::asio::steady_timer*> waiting_;
};

}  // namespace tidegate::client
