// The threads of the load generator, the connections that belong to each, and the tasks that run on them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <exception>
#include <memory>
#include <thread>

#include "client/connection.hpp"
#include "client/tool/bench/figures.hpp"

namespace tidegate::tool::bench {

constexpr std::size_t streams_max = 2;

// One thread, its executor and its figures.
class worker {
 public:
  worker();
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  boost::asio::io_context& context() { return context_; }
  bench::figures& figures(std::size_t stream) { return figures_[stream]; }
  double cpu_seconds() const;
  // Stops and joins the thread, even if tasks still run on it.
  void join();

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_;
  std::array<bench::figures, streams_max> figures_;
  std::thread thread_;
};

// A connection of the run. Everything on it runs on its worker.
struct link {
  link(worker& on, std::string name, std::size_t window)
      : at(on), connection(on.context().get_executor()), name(std::move(name)), window(window) {}

  worker& at;
  client::connection connection;
  std::string name;    // shown in the broker's listing of connections
  std::size_t window;  // most unconfirmed publishes
};

// A group of tasks on any threads. The home executor starts them and waits for all of them.
class gang {
 public:
  explicit gang(boost::asio::any_io_executor home) : home_(std::move(home)) {}

  // Starts a task on the worker's thread. The gang and the worker outlive the task, or the worker is joined first.
  void start(worker& on, boost::asio::awaitable<void> task);
  std::size_t running() const { return running_; }
  // Returns the exception of the task that failed first; null = none has failed.
  std::exception_ptr failure() const { return failure_; }
  // Waits until all tasks have ended. Does not throw their exceptions.
  boost::asio::awaitable<void> finish();

 private:
  boost::asio::any_io_executor home_;
  std::size_t running_ = 0;
  std::exception_ptr failure_;
};

boost::asio::awaitable<void> pause(std::chrono::milliseconds time);

}  // namespace tidegate::tool::bench
