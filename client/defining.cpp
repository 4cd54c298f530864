#include "client/defining.hpp"

#include "client/open_session.hpp"
#include "client/requests.hpp"

namespace tidegate::client {

awaitable<> defining::declare_exchange(std::string_view name, std::string_view type, bool passive) {
  const exchange_definition exchange{std::string(name), std::string(type)};
  co_await declare_exchange(exchange, passive);
}

awaitable<> defining::declare_exchange(const exchange_definition& exchange, bool passive) {
  return requests::declare_exchange(now(), exchange, passive);
}

awaitable<declared_queue> defining::declare_queue(std::string_view name, bool passive) {
  const queue_definition queue{.name = std::string(name)};
  co_return co_await declare_queue(queue, passive);
}

awaitable<declared_queue> defining::declare_queue(const queue_definition& queue, bool passive) {
  return requests::declare_queue(now(), queue, passive);
}

awaitable<declared_topic> defining::declare_topic(const topic_definition& topic, bool passive) {
  return requests::declare_topic(now(), topic, passive);
}

awaitable<> defining::bind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                           std::string_view routing_key) {
  const binding_definition binding{std::string(exchange), std::string(target_kind), std::string(target),
                                   std::string(routing_key)};
  co_await bind(binding);
}

awaitable<> defining::bind(const binding_definition& binding) { return requests::bind(now(), binding); }

awaitable<> defining::unbind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                             std::string_view routing_key) {
  const binding_definition binding{std::string(exchange), std::string(target_kind), std::string(target),
                                   std::string(routing_key)};
  co_await unbind(binding);
}

awaitable<> defining::unbind(const binding_definition& binding) { return requests::unbind(now(), binding); }

awaitable<std::uint64_t> defining::define(const definitions& definitions, bool only_check) {
  return requests::define(now(), definitions, only_check);
}

awaitable<std::uint64_t> defining::erase(std::string_view kind, std::string_view name, erase_options options) {
  return requests::erase(now(), kind, name, options);
}

awaitable<listing_page> defining::list(std::string_view kind, std::string_view after) {
  return requests::list(now(), kind, after);
}

}  // namespace tidegate::client
