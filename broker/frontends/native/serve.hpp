// Serves the native protocol on a socket.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "broker/frontends/native/front_end.hpp"

namespace tidegate::native {

// Serves one connection until it ends. `front_end` has to outlive it.
boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, front_end& front_end);

}  // namespace tidegate::native
