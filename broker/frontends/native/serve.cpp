#include "broker/frontends/native/serve.hpp"

#include "broker/net/connection.hpp"

namespace tidegate::native {

boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, front_end& front_end) {
  const auto make = [&front_end](std::string peer, std::function<void()> wake) {
    return std::make_unique<session>(front_end, std::move(peer), std::move(wake));
  };
  co_await net::serve(std::move(socket), make, {front_end.room()});
}

}  // namespace tidegate::native
