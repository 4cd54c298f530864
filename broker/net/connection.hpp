// A connection on a socket, from start to end: one reader and one writer around a session. Knows no protocol.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <span>

#include "broker/net/session.hpp"

namespace tidegate::net {

struct connection_options {
  // Buffer that bytes are received into. Connections of one loop share it; a connection keeps what its session did not
  // take.
  std::span<char> room;
  // A peer that has not taken everything of one send after this time counts as gone.
  std::chrono::milliseconds write_time_max = std::chrono::seconds(30);
};

// Serves one connection until the session closes, the peer leaves, or the peer does not take what is sent. Rethrows
// what the session throws. Destroys the session at the end.
boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, session_maker make, connection_options options);

}  // namespace tidegate::net
