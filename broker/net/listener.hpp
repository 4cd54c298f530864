// Listening sockets: accept connections, bound their number, and serve each.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"

namespace tidegate::net {

using tcp = boost::asio::ip::tcp;

// Reads "127.0.0.1:7420" or "[::1]:7420". Port 0 lets the system choose.
result<tcp::endpoint> parse_address(std::string_view text);

std::string to_string(const tcp::endpoint& endpoint);

// One listening socket. It has to live as long as the loop runs, because connections that end are counted in it.
class listener {
 public:
  // Binds and listens; the error names the address and the cause.
  static result<listener> open(boost::asio::io_context& io, const tcp::endpoint& address, std::size_t connections_max);

  tcp::endpoint address() const { return acceptor_.local_endpoint(); }
  // Accepts until stop(). `serve` is a connection's whole life; what it throws is thrown out of the loop's run(). A
  // connection above connections_max is closed at once. If the system has no descriptor or memory for another
  // connection, new ones wait in the kernel's queue until it has. The log gets a line when such a pause starts and one
  // when it ends.
  boost::asio::awaitable<void> run(std::function<boost::asio::awaitable<void>(tcp::socket)> serve);
  // Stops accepting. Connections that were accepted continue.
  void stop();

 private:
  listener(tcp::acceptor acceptor, std::size_t connections_max)
      : acceptor_(std::move(acceptor)), connections_max_(connections_max) {}
  boost::asio::awaitable<void> accept_one(const std::function<boost::asio::awaitable<void>(tcp::socket)>& serve);
  boost::asio::awaitable<void> pause(const boost::system::error_code& cause);

  tcp::acceptor acceptor_;
  std::size_t connections_max_;
  std::size_t connections_ = 0;
  bool is_refusing_ = false;
  bool is_paused_ = false;
};

}  // namespace tidegate::net
