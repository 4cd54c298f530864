#include "client/consuming.hpp"

#include "client/open_session.hpp"
#include "client/requests.hpp"

namespace tidegate::client {
namespace {

using held = std::shared_ptr<session>;

awaitable<std::uint32_t> consume(held on, std::string_view queue, consume_options options) {
  co_return co_await on->consume(queue, options);
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

awaitable<std::uint32_t> consuming::consume(std::string_view queue, std::uint32_t prefetch, bool auto_ack) {
  return consume(queue, consume_options{.prefetch = prefetch, .auto_ack = auto_ack});
}

awaitable<std::uint32_t> consuming::consume(std::string_view queue, consume_options options) {
  return client::consume(now(), queue, options);
}

awaitable<std::optional<got_message>> consuming::get(std::string_view queue, bool auto_ack) {
  return requests::get(now(), queue, auto_ack);
}

awaitable<std::optional<peeked_message>> consuming::peek(std::string_view queue, std::string_view place) {
  return requests::peek(now(), queue, place);
}

awaitable<std::uint64_t> consuming::purge(std::string_view queue) { return requests::purge(now(), queue); }

awaitable<> consuming::cancel(std::uint32_t consumer) { return client::cancel(now(), consumer); }

awaitable<delivery> consuming::receive() { return client::receive(now()); }

awaitable<std::optional<delivery>> consuming::receive_for(std::chrono::milliseconds wait) {
  return client::receive_for(now(), wait);
}

awaitable<> consuming::settle(std::uint64_t tag, outcome outcome, bool multiple) {
  return client::settle(now(), tag, outcome, multiple);
}

}  // namespace tidegate::client
