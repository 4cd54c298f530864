#include "client/connection.hpp"

#include <boost/asio/error.hpp>

#include "client/open_session.hpp"
#include "client/requests.hpp"

namespace tidegate::client {

namespace asio = boost::asio;

namespace {

awaitable<session_info> open_on(std::shared_ptr<open_session> on, endpoint where, connect_options options) {
  on->current->end(asio::error::operation_aborted, "the connection is opened anew");
  on->renew(std::move(options));
  const std::shared_ptr<session> opened = on->current;
  if (on->abandoned) opened->end(asio::error::operation_aborted, "the connection was given up");
  co_return co_await opened->start(std::move(where));
}

}  // namespace

std::shared_ptr<session> connection_part::now() const { return session_->current; }

connection::connection(asio::any_io_executor executor)
    : connection(std::make_shared<open_session>(std::move(executor))) {}

connection::connection(std::shared_ptr<open_session> session)
    : defining(session), publishing(session), consuming(session), reading(session), session_(std::move(session)) {}

connection::~connection() {
  session_->abandoned = true;
  close();
}

awaitable<session_info> connection::open(endpoint where, connect_options options) {
  return open_on(session_, std::move(where), std::move(options));
}

void connection::close() { session_->current->end(asio::error::operation_aborted, "the connection was closed"); }

bool connection::is_open() const { return session_->current->is_open(); }

awaitable<> connection::lease(std::string_view name, lease_options options) {
  return requests::lease(session_->current, name, std::move(options));
}

}  // namespace tidegate::client
