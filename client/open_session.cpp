#include "client/open_session.hpp"

#include <boost/asio/error.hpp>

namespace tidegate::client {

open_session::open_session(boost::asio::any_io_executor on) : executor(std::move(on)) {
  renew({});
  current->end(boost::asio::error::not_connected, "not connected to a broker");
}

void open_session::renew(connect_options options) {
  current = std::make_shared<session>(executor, std::move(options), told);
}

}  // namespace tidegate::client
