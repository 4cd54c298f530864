// A connection to the broker's native port, for C++20 coroutines. One thread: everything runs on the executor given.
//
// Failures are exceptions: tidegate::error_exception for what the broker refused (its code, text and field),
// boost::system::system_error when the connection ends, times out or cannot be made. After the latter the connection
// is closed and open() may be called again. Several coroutines may make requests side by side.
//
// What a call refers to (texts, messages) has to live until its coroutine ends. The connection itself may be destroyed
// while coroutines wait in it: they end with operation_aborted when their executor runs next. It has to be destroyed
// before its executor's context.
//
// GCC 12 copies a braced temporary inside a co_await expression byte by byte, which breaks the strings in it: put
// endpoint, connect_options and the like into a variable first, and await the call with that.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string_view>

#include "client/consuming.hpp"
#include "client/defining.hpp"
#include "client/publishing.hpp"
#include "client/reading.hpp"

namespace tidegate::client {

class connection : public defining, public publishing, public consuming, public reading {
 public:
  explicit connection(boost::asio::any_io_executor executor);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  awaitable<session_info> open(endpoint where, connect_options options);
  // Ends everything that waits, with operation_aborted. Does nothing if the connection is closed.
  void close();
  bool is_open() const;

  // Takes a name that one connection at a time holds, until it ends: for programs of which only one may do a piece of
  // work. Refused (PRECONDITION) if another connection holds it.
  awaitable<> lease(std::string_view name, lease_options options);

 private:
  explicit connection(std::shared_ptr<open_session> session);

  std::shared_ptr<open_session> session_;
};

}  // namespace tidegate::client
