#include "client/signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tidegate::client {

namespace asio = boost::asio;

// Removes the timer from the list however the wait ends, even if the coroutine is destroyed together with its context.
struct signal::registration {
  registration(signal& at, asio::steady_timer& timer) : at_(at), timer_(timer) { at_.waiting_.push_back(&timer_); }
  registration(const registration&) = delete;
  registration& operator=(const registration&) = delete;
  ~registration() { std::erase(at_.waiting_, &timer_); }

 private:
  signal& at_;
  asio::steady_timer& timer_;
};

asio::awaitable<void> signal::wait_until(time_point deadline) {
  asio::steady_timer timer(executor_, deadline);
  const registration registered(*this, timer);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

void signal::notify() {
  for (asio::steady_timer* timer : waiting_) timer->cancel();
}

}  // namespace tidegate::client
