#include "broker/net/connection.hpp"

#include <fmt/format.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <span>
#include <utility>

#include "broker/base/limits.hpp"
#include "broker/base/log.hpp"

namespace tidegate::net {
namespace asio = boost::asio;
namespace {

using asio::experimental::awaitable_operators::operator||;

auto no_throw(boost::system::error_code& failure) { return asio::redirect_error(asio::use_awaitable, failure); }

std::string peer_of(const asio::ip::tcp::socket& socket) {
  boost::system::error_code failure;
  const auto peer = socket.remote_endpoint(failure);
  return failure ? std::string("?") : fmt::format("{}:{}", peer.address().to_string(), peer.port());
}

class connection {
 public:
  connection(asio::ip::tcp::socket socket, const session_maker& make, const connection_options& options)
      : socket_(std::move(socket)),
        options_(options),
        woken_(socket_.get_executor()),
        resumed_(socket_.get_executor()),
        session_(make(peer_of(socket_), [this] { wake(); })) {
    boost::system::error_code failure;
    socket_.non_blocking(true, failure);
  }

  asio::awaitable<void> run() {
    co_await (watched(read()) || watched(write()));
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  void wake() {
    if (reader_waits_) resumed_.cancel();
    if (std::exchange(is_woken_, true)) return;
    woken_.cancel();
  }

  // `||` waits for the other half when one throws; a failing store has to end the process now.
  asio::awaitable<void> watched(asio::awaitable<void> half) {
    try {
      co_await std::move(half);
    } catch (const boost::system::system_error& failure) {
      const bool is_cancelled = failure.code() == asio::error::operation_aborted;  // the other half has ended
      if (!is_cancelled) thrown_ = std::current_exception();
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }

  asio::awaitable<void> read() {
    boost::system::error_code failure;
    while (true) {
      if (session_->is_closing() || session_->is_paused()) {
        // Closing: the writer sends the rest and ends the connection. Paused: the peer's bytes stay in the kernel, and
        // then at the peer.
        co_await pause(failure);
        if (!held_.empty()) take({});
        continue;
      }
      co_await socket_.async_wait(asio::socket_base::wait_read, no_throw(failure));
      if (session_->is_paused()) continue;  // paused during the wait
      if (!failure) receive(failure);
      if (!failure) continue;
      session_->close();  // nothing is pulled any more for a peer that is gone
      co_return;
    }
  }

  void receive(boost::system::error_code& failure) {
    const std::size_t size = socket_.read_some(asio::buffer(options_.room.data(), options_.room.size()), failure);
    if (failure == asio::error::would_block) failure = {};
    if (size > 0) take({options_.room.data(), size});
  }

  // Keeps what the session leaves: the start of a frame, or everything after the frame that made it pause.
  void take(std::string_view arrived) {
    if (held_.empty()) {
      held_ = arrived.substr(session_->input(arrived));
    } else {
      held_.append(arrived);
      held_.erase(0, session_->input(held_));
    }
    if (held_.empty()) held_ = std::string();  // releases what a long frame took
  }

  asio::awaitable<void> pause(boost::system::error_code& failure) {
    reader_waits_ = true;
    resumed_.expires_at(std::chrono::steady_clock::time_point::max());
    co_await resumed_.async_wait(no_throw(failure));
    reader_waits_ = false;
  }

  asio::awaitable<void> write() {
    boost::system::error_code failure;
    std::string sending;
    bool goes_on = false;
    while (true) {
      is_woken_ = false;
      fill();
      if (session_->outbox().bytes().empty()) {
        if (session_->is_closing()) co_return;
        co_await wait(failure);
        goes_on = false;
        continue;
      }
      // A connection that has more to send after a send lets the other connections run first.
      if (std::exchange(goes_on, true)) co_await asio::post(socket_.get_executor(), asio::use_awaitable);
      sending.clear();
      sending.swap(session_->outbox().bytes());
      co_await send(sending, failure);
      if (failure) co_return;
      if (sending.capacity() > limits::outbox_bytes_mark) sending = {};
      if (reader_waits_) resumed_.cancel();
    }
  }

  void fill() {
    session_->fill();
    if (!session_->outbox().is_over() || session_->is_closing()) return;
    log::warning("{}: it does not read its answers, {} bytes wait; closing", session_->description(),
                 session_->outbox().bytes().size());
    session_->close();
  }

  // Mostly the kernel takes everything at once. Only for the rest is there a wait, with a deadline.
  asio::awaitable<void> send(std::string_view bytes, boost::system::error_code& failure) {
    const std::size_t sent = socket_.write_some(asio::buffer(bytes), failure);
    if (failure && failure != asio::error::would_block) co_return;
    failure = {};
    if (sent == bytes.size()) co_return;
    co_await (send_rest(bytes.substr(sent), failure) || time_out());
  }

  asio::awaitable<void> send_rest(std::string_view bytes, boost::system::error_code& failure) {
    failure = asio::error::timed_out;
    co_await asio::async_write(socket_, asio::buffer(bytes), no_throw(failure));
  }

  asio::awaitable<void> time_out() {
    asio::steady_timer timer(socket_.get_executor(), options_.write_time_max);
    boost::system::error_code cancelled;
    co_await timer.async_wait(no_throw(cancelled));
  }

  asio::awaitable<void> wait(boost::system::error_code& failure) {
    if (is_woken_) co_return;
    const milliseconds deadline = session_->deadline();
    woken_.expires_at(deadline == milliseconds::max() ? std::chrono::steady_clock::time_point::max()
                                                      : std::chrono::steady_clock::time_point(deadline));
    co_await woken_.async_wait(no_throw(failure));
  }

  asio::ip::tcp::socket socket_;
  connection_options options_;
  asio::steady_timer woken_;
  asio::steady_timer resumed_;
  bool is_woken_ = false;
  bool reader_waits_ = false;
  std::string held_;
  std::exception_ptr thrown_;
  std::unique_ptr<session> session_;
};

}  // namespace

asio::awaitable<void> serve(asio::ip::tcp::socket socket, session_maker make, connection_options options) {
  connection served(std::move(socket), make, options);
  co_await served.run();
}

}  // namespace tidegate::net
