#include "client/tool/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>

namespace tidegate::tool {

namespace asio = boost::asio;

namespace {

// SIGHUP is ignored under nohup.
bool is_ignored(int signal) {
  struct sigaction now {};
  return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

}  // namespace

interruption::interruption(asio::any_io_executor executor) : signals_(std::move(executor), SIGINT, SIGTERM) {
  if (!is_ignored(SIGHUP)) signals_.add(SIGHUP);
  signals_.async_wait([this](const auto& cancelled, int) {
    if (cancelled) return;
    happened_ = true;
    signals_.clear();
    if (handler_) handler_();
  });
}

task_group::task_group(asio::any_io_executor executor, interruption& interruption)
    : executor_(executor), interruption_(interruption), changed_(executor, asio::steady_timer::time_point::max()) {
  interruption_.on_happening([this] { stop(); });
}

task_group::~task_group() { interruption_.on_happening({}); }

void task_group::start(asio::awaitable<void> task) {
  if (interruption_.happened()) return;
  const auto slot = signals_.emplace_back().slot();
  ++running_;
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(slot, [this](std::exception_ptr thrown) { ended(thrown); }));
}

void task_group::stop() {
  stopping_ = true;
  for (asio::cancellation_signal& signal : signals_) signal.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> task_group::finish() {
  while (running_ > 0) co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
  if (failure_) std::rethrow_exception(failure_);
}

void task_group::ended(std::exception_ptr thrown) {
  --running_;
  changed_.cancel();
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& failure) {
    if (stopping_ && failure.code() == asio::error::operation_aborted) return;
  } catch (...) {
    // Every other failure is thrown by finish().
  }
  if (!failure_) failure_ = thrown;
  if (!stopping_) stop();
}

}  // namespace tidegate::tool
