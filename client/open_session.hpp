// The session that a connection uses now, shared by the parts of a connection and by coroutines that outlive it. There
// is always one: before the first open() it is one that has ended, so that every call fails by the same rule.
#pragma once

#include <memory>

#include "client/session.hpp"

namespace tidegate::client {

struct open_session {
  explicit open_session(boost::asio::any_io_executor on);
  // Replaces the session by a new one that is not connected yet.
  void renew(connect_options options);

  boost::asio::any_io_executor executor;
  std::shared_ptr<session::listener> told = std::make_shared<session::listener>();  // the confirmation handler
  std::shared_ptr<session> current;
  bool abandoned = false;  // the connection object is gone
};

}  // namespace tidegate::client
