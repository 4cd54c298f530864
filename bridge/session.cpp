#include "bridge/session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <typeinfo>

#include "bridge/route.hpp"
#include "broker/base/log.hpp"

namespace tidegate::bridge {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds backoff_min{100};
constexpr milliseconds backoff_max{5'000};
constexpr milliseconds watch_interval{1'000};
constexpr int watches_per_look_around = 5;

// The text of an exception from the client says more than its code. Asio's own system_error, in contrast, adds a source
// location to its text, so only its code's message is used.
std::string reason_of(const std::exception& failure) {
  if (typeid(failure) != typeid(boost::system::system_error)) return failure.what();
  return static_cast<const boost::system::system_error&>(failure).code().message();
}

}  // namespace

session::session(asio::any_io_executor executor, session_settings settings)
    : executor_(std::move(executor)),
      settings_(std::move(settings)),
      timer_(executor_),
      backoff_(backoff_min, backoff_max),
      lease_{settings_.take_over, boost::uuids::to_string(boost::uuids::random_generator()())} {}

client::awaitable<> session::run() {
  while (!stopping_) {
    try {
      co_await serve_once();
    } catch (const std::exception& failure) {
      lost(reason_of(failure));
    }
    connection_.reset();
    if (!stopping_) co_await pause(backoff_.next());
  }
}

client::awaitable<> session::serve_once() {
  // A new connection each time: coroutines that still wait on the old one end with it.
  connection_ = std::make_shared<client::connection>(executor_);
  client::connect_options options;
  options.name = settings_.name;
  options.token = settings_.token;
  info_ = co_await connection_->open(settings_.broker, options);
  up_ = true;
  co_await find_partitions();
  lease_.take_over = false;
  log::info("broker {}:{}: connected, gateway {}, incarnation {}", settings_.broker.host, settings_.broker.port,
            info_.gateway, info_.incarnation);
  state_ = "connected";
  last_reason_.clear();
  backoff_.reset();
  co_await watch();
}

client::awaitable<> session::find_partitions() {
  for (route* route : routes_) co_await find_partitions_of(*route);
}

client::awaitable<> session::find_partitions_of(route& route) {
  client::topic_definition topic;
  topic.name = route.topic();
  client::declared_topic found;
  try {
    // Two bridges of the same name would both forward every record. The second one waits, and starts when the first has
    // ended.
    if (!route.source_is_up()) co_await connection_->lease(route.group(), lease_);
    found = co_await connection_->declare_topic(topic, true);
  } catch (const error_exception& refused) {
    // The other routes can still have their topics. This route's topic is looked up again by watch().
    route.source_missing(refused.cause.text);
    co_return;
  }
  const identity log{info_.gateway, info_.incarnation, found.id};
  if (up_ && (!route.source_is_up() || log != route.log() || found.partitions > route.partitions())) {
    route.source_up(log, found.partitions);
  }
}

// Needed for the lag of partitions that are not being fetched from.
client::awaitable<> session::read_watermarks() {
  for (route* route : routes_) {
    for (std::uint32_t partition = 0; up_ && partition < route->partitions(); ++partition) {
      const std::string id = route->log().topic_id;
      const auto listed = co_await connection_->list_offset(route->topic(), partition, client::timestamp_end, id);
      route->at(partition).watermark(listed.high_watermark);
    }
  }
}

client::awaitable<> session::watch() {
  for (int round = 1; up_ && connection_->is_open(); ++round) {
    if (!co_await pause(watch_interval) || round % watches_per_look_around != 0) continue;
    co_await find_partitions();
    co_await read_watermarks();
  }
  if (up_) lost("the connection has ended");
}

// Returns false if the pause was cut short.
client::awaitable<bool> session::pause(milliseconds time) {
  timer_.expires_after(time);
  boost::system::error_code failure;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, failure));
  co_return !failure;
}

void session::spawn(std::function<client::awaitable<>(client::connection&)> work) {
  if (!connection_) return;
  asio::co_spawn(
      executor_,
      [](session& self, std::shared_ptr<client::connection> connection,
         std::function<client::awaitable<>(client::connection&)> run) -> client::awaitable<> {
        try {
          co_await asio::post(self.executor_, asio::use_awaitable);
          co_await run(*connection);
        } catch (const std::exception& failure) {
          // The failure of a coroutine on an earlier connection does not concern the current connection.
          if (connection == self.connection_) self.lost(reason_of(failure));
        }
      }(*this, connection_, std::move(work)),
      asio::detached);
}

void session::lost(const std::string& reason) {
  if (!stopping_ && reason != last_reason_) {
    log::warning("broker {}:{}: {}", settings_.broker.host, settings_.broker.port, reason);
  }
  last_reason_ = reason;
  state_ = reason;
  if (!std::exchange(up_, false)) return;
  for (route* route : routes_) route->source_lost();
  if (connection_) connection_->close();
  timer_.cancel();
}

void session::stop() {
  stopping_ = true;
  lost("stopped");
  timer_.cancel();
}

}  // namespace tidegate::bridge
