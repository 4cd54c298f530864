// The bridge's one connection to the broker. It is opened again whenever it ends. Runs on the executor's one thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <vector>

#include "bridge/backoff.hpp"
#include "client/connection.hpp"

namespace tidegate::bridge {

class route;

struct session_settings {
  client::endpoint broker;
  std::string token;
  std::string name;
  bool take_over = false;  // takes the leases from another bridge of the name, on the first connection only
};

class session {
 public:
  session(boost::asio::any_io_executor executor, session_settings settings);
  // Adds a route to be supplied with its source. Call before run().
  void serve(route& route) { routes_.push_back(&route); }

  // Connects, notifies the routes, and connects again when the connection ends. Returns after stop().
  client::awaitable<> run();
  void stop();

  // Starts a coroutine that uses the connection, never from within this call; does nothing without a connection. An
  // exception from the coroutine ends the connection: a request that the broker refuses is made again after a pause, in
  // a new session. `work` is kept alive until the coroutine ends.
  void spawn(std::function<client::awaitable<>(client::connection&)> work);
  // Returns whether this connection is still in use. An answer from a connection that was given up must be ignored.
  bool is_current(const client::connection& connection) const { return up_ && &connection == connection_.get(); }

  // Returns "connecting", "connected" or the reason why the connection ended.
  std::string_view state() const { return state_; }
  // Returns the broker's answer to the last connect; empty before the first.
  const client::session_info& broker() const { return info_; }

 private:
  client::awaitable<> serve_once();
  client::awaitable<> find_partitions();
  client::awaitable<> find_partitions_of(route& route);
  client::awaitable<> read_watermarks();
  client::awaitable<> watch();
  client::awaitable<bool> pause(std::chrono::milliseconds time);
  void lost(const std::string& reason);

  const boost::asio::any_io_executor executor_;
  const session_settings settings_;
  std::vector<route*> routes_;
  std::shared_ptr<client::connection> connection_;
  client::session_info info_;
  boost::asio::steady_timer timer_;
  backoff backoff_;
  std::string state_ = "connecting";
  std::string last_reason_;
  bool up_ = false;
  bool stopping_ = false;
  client::lease_options lease_;
};

}  // namespace tidegate::bridge
