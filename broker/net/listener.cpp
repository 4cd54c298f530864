#include "broker/net/listener.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

#include "broker/base/log.hpp"

namespace tidegate::net {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::milliseconds retry_interval{100};

}  // namespace

result<tcp::endpoint> parse_address(std::string_view text) {
  const error malformed{errc::invalid, fmt::format("address '{}' is not like 127.0.0.1:7420 or [::1]:7420", text),
                        "listen"};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed;
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  boost::system::error_code failure;
  const auto address = asio::ip::make_address(std::string(host), failure);
  if (failure || parsed.ec != std::errc() || parsed.ptr != port_text.data() + port_text.size()) return malformed;
  return tcp::endpoint(address, port);
}

std::string to_string(const tcp::endpoint& endpoint) {
  const auto host = endpoint.address().to_string();
  if (endpoint.address().is_v6()) return fmt::format("[{}]:{}", host, endpoint.port());
  return fmt::format("{}:{}", host, endpoint.port());
}

result<listener> listener::open(asio::io_context& io, const tcp::endpoint& address, std::size_t connections_max) {
  tcp::acceptor acceptor(io);
  boost::system::error_code failure;
  acceptor.open(address.protocol(), failure);
  if (!failure) acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor.bind(address, failure);
  if (!failure) acceptor.listen(asio::socket_base::max_listen_connections, failure);
  if (!failure) return listener(std::move(acceptor), connections_max);
  return error{errc::invalid, fmt::format("cannot listen on {}: {}", to_string(address), failure.message()), "listen"};
}

void listener::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

asio::awaitable<void> listener::run(std::function<asio::awaitable<void>(tcp::socket)> serve) {
  while (acceptor_.is_open()) co_await accept_one(serve);
}

asio::awaitable<void> listener::accept_one(const std::function<asio::awaitable<void>(tcp::socket)>& serve) {
  boost::system::error_code failure;
  tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, failure));
  if (failure == asio::error::operation_aborted || !acceptor_.is_open()) co_return;
  if (failure) co_return co_await pause(failure);
  if (std::exchange(is_paused_, false)) log::info("accepting connections again");
  if (connections_ >= connections_max_) {
    // One line for many refusals.
    if (!std::exchange(is_refusing_, true)) {
      log::warning("refusing connections: {} are the limit (native.connections_max)", connections_max_);
    }
    co_return;
  }
  socket.set_option(tcp::no_delay(true), failure);
  is_refusing_ = false;
  ++connections_;
  asio::co_spawn(acceptor_.get_executor(), serve(std::move(socket)), [this](std::exception_ptr cause) {
    --connections_;
    if (cause) std::rethrow_exception(cause);
  });
}

asio::awaitable<void> listener::pause(const boost::system::error_code& cause) {
  if (!std::exchange(is_paused_, true)) {
    const bool lacks_descriptors = cause == boost::system::errc::too_many_files_open ||
                                   cause == boost::system::errc::too_many_files_open_in_system;
    log::warning("no connection can be accepted for now: {}{}", cause.message(),
                 lacks_descriptors ? "; the limit of open files (ulimit -n, LimitNOFILE) is lower than "
                                     "native.connections_max needs"
                                   : "");
  }
  asio::steady_timer pause(acceptor_.get_executor(), retry_interval);
  co_await pause.async_wait(asio::use_awaitable);
}

}  // namespace tidegate::net
