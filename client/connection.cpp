#include "client/connection.hpp"

#include <boost/asio/error.hpp>

#include "client/requests.hpp"
#include "client/session.hpp"

namespace tidegate::client {

namespace asio = boost::asio;

// There is always a session; the one before the first open() has ended at once, so that every call meets the same rule.
class connection::state {
 public:
  explicit state(asio::any_io_executor on) : executor(std::move(on)) {
    renew({});
    current->end(asio::error::not_connected, "not connected to a broker");
  }

  void renew(connect_options options) { current = std::make_shared<session>(executor, std::move(options), told); }

  static awaitable<session_info> open(std::shared_ptr<state> self, endpoint where, connect_options options) {
    self->current->end(asio::error::operation_aborted, "the connection is opened anew");
    self->renew(std::move(options));
    const std::shared_ptr<session> opened = self->current;
    if (self->abandoned) opened->end(asio::error::operation_aborted, "the connection was given up");
    co_return co_await opened->start(std::move(where));
  }

  asio::any_io_executor executor;
  std::shared_ptr<session::listener> told = std::make_shared<session::listener>();
  std::shared_ptr<session> current;
  bool abandoned = false;  // the connection object is gone
};

namespace {

using held = std::shared_ptr<session>;

awaitable<std::uint64_t> send(held on, const message_view& message, publish_options options) {
  co_return co_await on->send(message, options);
}

awaitable<confirmation> publish(held on, const message_view& message, publish_options options) {
  co_return co_await on->publish(message, options);
}

awaitable<> drain(held on) { co_await on->drain(); }

awaitable<std::uint32_t> consume(held on, std::string_view queue, std::uint32_t prefetch, bool auto_ack) {
  co_return co_await on->consume(queue, prefetch, auto_ack);
}

awaitable<> cancel(held on, std::uint32_t consumer) { co_await on->cancel(consumer); }

awaitable<delivery> receive(held on) {
  auto received = co_await on->receive(session::time_point::max());
  co_return std::move(*received);
}

awaitable<std::optional<delivery>> receive_for(held on, std::chrono::milliseconds wait) {
  co_return co_await on->receive(std::chrono::steady_clock::now() + wait);
}

awaitable<> settle(held on, std::uint64_t tag, outcome outcome, bool multiple) {
  co_await on->settle(tag, outcome, multiple);
}
}  // namespace

connection::connection(asio::any_io_executor executor) : state_(std::make_shared<state>(std::move(executor))) {}

connection::~connection() {
  state_->abandoned = true;
  close();
}

awaitable<session_info> connection::open(endpoint where, connect_options options) {
  return state::open(state_, std::move(where), std::move(options));
}

void connection::close() { state_->current->end(asio::error::operation_aborted, "the connection was closed"); }

bool connection::is_open() const { return state_->current->is_open(); }

awaitable<> connection::declare_exchange(std::string_view name, std::string_view type, bool passive) {
  return requests::declare_exchange(state_->current, name, type, passive);
}

awaitable<std::uint64_t> connection::declare_queue(std::string_view name, bool passive) {
  const queue_definition queue{.name = std::string(name)};
  co_return co_await declare_queue(queue, passive);
}

awaitable<std::uint64_t> connection::declare_queue(const queue_definition& queue, bool passive) {
  return requests::declare_queue(state_->current, queue, passive);
}

awaitable<declared_topic> connection::declare_topic(const topic_definition& topic, bool passive) {
  return requests::declare_topic(state_->current, topic, passive);
}

awaitable<> connection::bind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                             std::string_view routing_key) {
  return requests::bind(state_->current, {exchange, target_kind, target, routing_key});
}

awaitable<> connection::unbind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                               std::string_view routing_key) {
  return requests::unbind(state_->current, {exchange, target_kind, target, routing_key});
}

awaitable<> connection::erase(std::string_view kind, std::string_view name) {
  return requests::erase(state_->current, kind, name);
}

awaitable<listing_page> connection::list(std::string_view kind, std::string_view after) {
  return requests::list(state_->current, kind, after);
}

awaitable<std::uint64_t> connection::send(const message_view& message, publish_options options) {
  return client::send(state_->current, message, options);
}

void connection::on_confirmation(std::function<void(const confirmation&)> handler) {
  *state_->told = std::move(handler);
}

awaitable<> connection::drain() { return client::drain(state_->current); }

awaitable<confirmation> connection::publish(const message_view& message, publish_options options) {
  return client::publish(state_->current, message, options);
}

awaitable<std::uint32_t> connection::consume(std::string_view queue, std::uint32_t prefetch, bool auto_ack) {
  return client::consume(state_->current, queue, prefetch, auto_ack);
}

awaitable<> connection::cancel(std::uint32_t consumer) { return client::cancel(state_->current, consumer); }

awaitable<delivery> connection::receive() { return client::receive(state_->current); }

awaitable<std::optional<delivery>> connection::receive_for(std::chrono::milliseconds wait) {
  return client::receive_for(state_->current, wait);
}

awaitable<> connection::settle(std::uint64_t tag, outcome outcome, bool multiple) {
  return client::settle(state_->current, tag, outcome, multiple);
}

awaitable<offset_t> connection::produce(std::string_view topic, std::uint32_t partition, std::string_view batch) {
  return requests::produce(state_->current, {topic, partition}, batch);
}

awaitable<fetched> connection::fetch(const fetch_request& request) { return requests::fetch(state_->current, request); }

awaitable<listed_offset> connection::list_offset(std::string_view topic, std::uint32_t partition,
                                                 std::int64_t timestamp_ms, std::string_view topic_id) {
  return requests::list_offset(state_->current, {topic, partition, topic_id}, timestamp_ms);
}

awaitable<> connection::commit_offset(std::string_view group, std::string_view topic, std::uint32_t partition,
                                      offset_t offset, std::string_view metadata, std::string_view topic_id) {
  return requests::commit_offset(state_->current, group, {topic, partition, topic_id}, offset, metadata);
}

awaitable<std::optional<committed_offset>> connection::fetch_offset(std::string_view group, std::string_view topic,
                                                                    std::uint32_t partition,
                                                                    std::string_view topic_id) {
  return requests::fetch_offset(state_->current, group, {topic, partition, topic_id});
}

awaitable<> connection::lease(std::string_view name, lease_options options) {
  return requests::lease(state_->current, name, std::move(options));
}

}  // namespace tidegate::client
