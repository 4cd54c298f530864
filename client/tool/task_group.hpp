// Runs a command's coroutines side by side, and stops them at an interrupt.
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

// Catches the first SIGINT or SIGTERM, or SIGHUP if that is not ignored. A second signal has its default effect: it
// ends the process.
class interruption {
 public:
  explicit interruption(boost::asio::any_io_executor executor);
  bool happened() const { return happened_; }
  // Sets the function to call at the interrupt. It replaces the function set before; empty = none.
  void on_happening(std::function<void()> handler) { handler_ = std::move(handler); }

 private:
  boost::asio::signal_set signals_;
  std::function<void()> handler_;
  bool happened_ = false;
};

// Coroutines that run side by side. All are stopped when one fails, at stop(), or at an interrupt. Only one group may
// exist at a time, because the interruption has one handler. Whoever starts tasks has to await finish() before the
// group is destroyed.
class task_group {
 public:
  task_group(boost::asio::any_io_executor executor, interruption& interruption);
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  ~task_group();

  // Starts a task; does nothing after an interrupt. When the group is stopped, the task's current or next wait throws
  // operation_aborted.
  void start(boost::asio::awaitable<void> task);
  void stop();
  // Waits until all tasks have ended, then throws the first failure if there was one.
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
