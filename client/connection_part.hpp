// What the parts of a connection (defining, publishing, consuming, reading) have in common: the session they call.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "client/values.hpp"

namespace tidegate::client {

template <class T = void>
using awaitable = boost::asio::awaitable<T>;

class session;
struct open_session;

class connection_part {
 public:
  explicit connection_part(std::shared_ptr<open_session> session) : session_(std::move(session)) {}

 protected:
  ~connection_part() = default;
  // Returns the session for one call: the call holds it until it returns.
  std::shared_ptr<session> now() const;

  std::shared_ptr<open_session> session_;
};

}  // namespace tidegate::client
