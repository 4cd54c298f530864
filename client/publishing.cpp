#include "client/publishing.hpp"

#include "client/open_session.hpp"
#include "client/requests.hpp"

namespace tidegate::client {
namespace {

using held = std::shared_ptr<session>;

awaitable<std::uint64_t> send(held on, const message_view& message, publish_options options) {
  co_return co_await on->send(message, options);
}

awaitable<confirmation> publish(held on, const message_view& message, publish_options options) {
  co_return co_await on->publish(message, options);
}

awaitable<> drain(held on) { co_await on->drain(); }

}  // namespace

awaitable<std::uint64_t> publishing::send(const message_view& message, publish_options options) {
  return client::send(now(), message, options);
}

void publishing::on_confirmation(std::function<void(const confirmation&)> handler) {
  *session_->told = std::move(handler);
}

awaitable<std::uint64_t> publishing::transact(const transaction& transaction) {
  return requests::transact(now(), transaction);
}

awaitable<> publishing::drain() { return client::drain(now()); }

awaitable<confirmation> publishing::publish(const message_view& message, publish_options options) {
  return client::publish(now(), message, options);
}

}  // namespace tidegate::client
