#include "broker/core/catalog/exchange_registry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"
#include "broker/core/commits/refusals.hpp"

namespace tidegate::core::catalog {
namespace {

// A binding's two names and its routing key together may be longer than an LMDB key, so its row is stored under a
// number.
std::string row_name(std::uint64_t number) {
  std::string name;
  append_be(name, number);
  return name;
}

}  // namespace

void exchange_registry::add_found(std::uint64_t number, const binding_definition& binding,
                                  const routing::target& target) {
  exchanges_.bind(binding, target);
  numbers_[binding] = number;
  next_number_ = std::max(next_number_, number + 1);
}

result<void> exchange_registry::declare(std::string_view name, exchange_type type) {
  if (const auto* const known = exchanges_.find_definition(name)) {
    if (known->type == type) return {};
    return differs("exchange", name, "type", tidegate::name(known->type), tidegate::name(type));
  }
  if (const auto checked = check_name("exchange", name); !checked) return checked;
  if (routing::exchanges::is_built_in(name)) {
    return error{errc::not_allowed, fmt::format("'{}': names that begin with amq. are the broker's", name), "name"};
  }
  if (exchanges_.definitions().size() >= limits::definitions_count) return limit_reached("exchanges");
  if (const auto room = commits::check_room(store_); !room) return room;
  exchange_definition made{std::string(name), type};
  rows_.put(store::catalog_exchange, name, encode(made));
  exchanges_.add(std::move(made));
  return {};
}

result<void> exchange_registry::remove(std::string_view name) {
  if (routing::exchanges::is_built_in(name)) {
    return error{errc::not_allowed, fmt::format("exchange '{}' is built in and stays", name), "name"};
  }
  if (exchanges_.find_definition(name) == nullptr) return {};
  unbind_all([&](const auto& binding) { return binding.exchange == name; });
  exchanges_.remove(name);
  rows_.erase(store::catalog_exchange, name);
  return {};
}

result<void> exchange_registry::check(const binding_definition& binding) const {
  if (binding.exchange.empty()) {
    return error{errc::not_allowed, "the default exchange routes to queues by their names and takes no bindings",
                 "exchange"};
  }
  if (exchanges_.find_definition(binding.exchange) == nullptr) {
    return error{errc::not_found, fmt::format("no exchange '{}'; declare it first", binding.exchange), "exchange"};
  }
  if (binding.routing_key.size() > limits::routing_key_bytes) {
    return error{errc::too_large,
                 fmt::format("routing key of {} bytes is over the limit of {}", binding.routing_key.size(),
                             limits::routing_key_bytes),
                 "routing_key"};
  }
  if (!is_utf8(binding.routing_key)) {
    return error{errc::invalid, "the routing key is not UTF-8", "routing_key"};
  }
  return {};
}

result<void> exchange_registry::bind(const binding_definition& binding, const routing::target& target) {
  if (numbers_.contains(binding)) return {};
  if (numbers_.size() >= limits::definitions_count) return limit_reached("bindings");
  if (const auto room = commits::check_room(store_); !room) return room;
  exchanges_.bind(binding, target);
  const std::uint64_t number = next_number_++;
  numbers_[binding] = number;
  rows_.put(store::catalog_binding, row_name(number), encode(binding));
  return {};
}

void exchange_registry::unbind(const binding_definition& binding) {
  if (!exchanges_.unbind(binding)) return;
  const auto number = numbers_.find(binding);
  rows_.erase(store::catalog_binding, row_name(number->second));
  numbers_.erase(number);
}

void exchange_registry::unbind_target(target_kind kind, std::string_view target) {
  unbind_all([&](const auto& binding) { return binding.kind == kind && binding.target == target; });
}

void exchange_registry::unbind_all(const std::function<bool(const binding_definition&)>& chosen) {
  const auto all = exchanges_.bindings();
  for (const binding_definition& binding : all) {
    if (chosen(binding)) unbind(binding);
  }
}

}  // namespace tidegate::core::catalog
