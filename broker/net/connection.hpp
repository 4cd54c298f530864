// A connection's life on a socket: one reader, one writer, both around a session. Knows no protocol.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <span>

#include "broker/net/session.hpp"

namespace tidegate::net {

struct connection_options {
  // Where bytes arrive. Connections of one loop share it: what a session leaves is kept by its connection.
  std::span<char> room;
  // A peer that takes nothing of what is sent for so long is gone.
  std::chrono::milliseconds write_time_max = std::chrono::seconds(30);
};

// Serves one connection until the session closes, the peer leaves, or it does not take what is sent. Rethrows what the
// session throws. The session ends with it.
boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, session_maker make, connection_options options);

}  // namespace tidegate::net
