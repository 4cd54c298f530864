#include "client/tool/bench/crew.hpp"

#include <pthread.h>
#include <time.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tidegate::tool::bench {

namespace asio = boost::asio;

// Interval at which the home thread checks whether the tasks have ended.
constexpr std::chrono::milliseconds wait_interval{5};

worker::worker() : busy_(context_.get_executor()), thread_([this] { context_.run(); }) {}

worker::~worker() { join(); }

void worker::join() {
  if (!thread_.joinable()) return;
  context_.stop();
  thread_.join();
}

double worker::cpu_seconds() const {
  clockid_t clock;
  timespec used;
  if (::pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0) return 0;
  if (::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

void gang::start(worker& on, asio::awaitable<void> task) {
  ++running_;
  asio::co_spawn(on.context(), std::move(task), [this](std::exception_ptr thrown) {
    asio::post(home_, [this, thrown] {
      --running_;
      if (thrown && !failure_) failure_ = thrown;
    });
  });
}

asio::awaitable<void> gang::finish() {
  while (running_ > 0) co_await pause(wait_interval);
}

asio::awaitable<void> pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace tidegate::tool::bench
