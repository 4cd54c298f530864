// What a command does besides its beginning and its end: coroutines that an interrupt stops.
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

// The first SIGINT, SIGTERM, or SIGHUP where that is not ignored. The second ends the process as if nobody cared for
// it.
class interruption {
 public:
  explicit interruption(boost::asio::any_io_executor executor);
  bool happened() const { return happened_; }
  // Called when it happens, in place of what was set before; empty for nobody.
  void on_happening(std::function<void()> handler) { handler_ = std::move(handler); }

 private:
  boost::asio::signal_set signals_;
  std::function<void()> handler_;
  bool happened_ = false;
};

// Coroutines side by side, all stopped when one fails, at stop(), or at an interrupt. One group at a time. Whoever
// starts tasks has to finish() before the group goes.
class task_group {
 public:
  task_group(boost::asio::any_io_executor executor, interruption& interruption);
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  ~task_group();

  // The coroutine's next or present wait throws operation_aborted when the group is stopped.
  void start(boost::asio::awaitable<void> task);
  void stop();
  // Until all have ended; throws the first failure.
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
