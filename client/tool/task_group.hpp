// The coroutines of a command, which an interrupt stops.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <exception>
#include <functional>

namespace tidegate::tool {

// The first SIGINT, SIGTERM, or SIGHUP if that is not ignored. The second ends the process by the signal's default.
class interruption {
 public:
  explicit interruption(boost::asio::any_io_executor executor);
  bool happened() const { return happened_; }
  // Sets what is called when it happens, instead of what was set before; empty = nothing.
  void on_happening(std::function<void()> handler) { handler_ = std::move(handler); }

 private:
  boost::asio::signal_set signals_;
  std::function<void()> handler_;
  bool happened_ = false;
};

// Runs coroutines side by side. All are stopped when one fails, at stop(), or at an interrupt. One group at a time.
// After start(), finish() has to be called before the group is destroyed.
class task_group {
 public:
  task_group(boost::asio::any_io_executor executor, interruption& interruption);
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  ~task_group();

  // When the group is stopped, the coroutine's current or next wait throws operation_aborted.
  void start(boost::asio::awaitable<void> task);
  void stop();
  // Returns when all have ended. Throws the first failure.
  boost::asio::awaitable<void> finish();

 private:
  void ended(std::exception_ptr thrown);

  boost::asio::any_io_executor executor_;
  interruption& interruption_;
  std::deque<boost::asio::cancellation_signal> signals_;
  boost::asio::steady_timer changed_;
  std::exception_ptr failure_;
  std::size_t running_ = 0;
  bool stopping_ = false;
};

}  // namespace tidegate::tool
