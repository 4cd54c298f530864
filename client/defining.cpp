#include "client/defining.hpp"

#include "client/open_session.hpp"
#include "client/requests.hpp"

namespace tidegate::client {

awaitable<> defining::declare_exchange(std::string_view name, std::string_view type, bool passive) {
  return requests::declare_exchange(now(), name, type, passive);
}

awaitable<std::uint64_t> defining::declare_queue(std::string_view name, bool passive) {
  const queue_definition queue{.name = std::string(name)};
  co_return co_await declare_queue(queue, passive);
}

awaitable<std::uint64_t> defining::declare_queue(const queue_definition& queue, bool passive) {
  return requests::declare_queue(now(), queue, passive);
}

awaitable<declared_topic> defining::declare_topic(const topic_definition& topic, bool passive) {
  return requests::declare_topic(now(), topic, passive);
}

awaitable<> defining::bind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                           std::string_view routing_key) {
  return requests::bind(now(), {exchange, target_kind, target, routing_key});
}

awaitable<> defining::unbind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                             std::string_view routing_key) {
  return requests::unbind(now(), {exchange, target_kind, target, routing_key});
}

awaitable<> defining::erase(std::string_view kind, std::string_view name) { return requests::erase(now(), kind, name); }

awaitable<listing_page> defining::list(std::string_view kind, std::string_view after) {
  return requests::list(now(), kind, after);
}

}  // namespace tidegate::client
