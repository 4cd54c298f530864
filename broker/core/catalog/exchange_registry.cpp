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

result<void> check_same(const exchange_definition& is, const exchange_request& wanted, sameness sameness) {
  const bool is_exact = sameness == sameness::exact;
  const auto differ = [&](std::string_view field, const auto& own, const auto& asked) {
    return differs("exchange", is.name, field, own, asked);
  };
  if (is.type != wanted.type) return differ("type", name(is.type), name(wanted.type));
  if (wanted.auto_delete.value_or(is_exact ? false : is.auto_delete) != is.auto_delete) {
    return differ("auto_delete", is.auto_delete, !is.auto_delete);
  }
  if (wanted.internal.value_or(is_exact ? false : is.internal) != is.internal) {
    return differ("internal", is.internal, !is.internal);
  }
  if ((wanted.alternate || is_exact) && wanted.alternate != is.alternate) {
    return differ("alternate", is.alternate.value_or("none"), wanted.alternate.value_or("none"));
  }
  return {};
}

}  // namespace

void exchange_registry::add_found(std::uint64_t number, const binding_definition& binding,
                                  const routing::target& target) {
  exchanges_.bind(binding, target);
  add_number(binding, number);
  next_number_ = std::max(next_number_, number + 1);
}

result<void> exchange_registry::declare(const exchange_request& request, sameness sameness) {
  if (const auto checked = check(request, sameness); !checked) return checked;
  if (exchanges_.find_definition(request.name) == nullptr) create(request);
  return {};
}

result<void> exchange_registry::check(const exchange_request& request, sameness sameness, std::size_t coming) const {
  if (const auto* const known = exchanges_.find_definition(request.name)) return check_same(*known, request, sameness);
  if (request.name.empty()) return error{errc::not_allowed, "the default exchange is built in", "name"};
  if (const auto checked = check_name("exchange", request.name); !checked) return checked;
  if (routing::exchanges::is_built_in(request.name)) {
    return error{errc::not_allowed, fmt::format("'{}': names that begin with amq. are the broker's", request.name),
                 "name"};
  }
  if (request.alternate && !request.alternate->empty()) {
    if (const auto checked = check_name("alternate exchange", *request.alternate); !checked) {
      return error{errc::invalid, checked.error().text, "alternate"};
    }
  }
  if (const auto checked = check_arguments(request.arguments.value_or("")); !checked) return checked;
  if (exchanges_.all().size() + coming >= limits::definitions_count) return limit_reached("exchanges");
  return commits::check_room(store_);
}

void exchange_registry::create(const exchange_request& request) {
  exchange_definition made{request.name,
                           request.type,
                           request.auto_delete.value_or(false),
                           request.internal.value_or(false),
                           request.alternate,
                           request.arguments.value_or("")};
  rows_.put(store::catalog_exchange, made.name, encode(made));
  exchanges_.add(std::move(made));
}

result<void> exchange_registry::remove(std::string_view name, bool only_unused) {
  if (routing::exchanges::is_built_in(name)) {
    return error{errc::not_allowed, fmt::format("exchange '{}' is built in and stays", name), "name"};
  }
  const routing::exchange_table* const found = exchanges_.find_table(name);
  if (found == nullptr) return {};
  if (only_unused && !found->bound.empty()) {
    return error{errc::precondition, fmt::format("exchange '{}' has {} bindings", name, found->bound.size()),
                 "if_unused"};
  }
  erase(name);
  return {};
}

void exchange_registry::erase(std::string_view exchange) {
  const std::string name(exchange);
  const auto bound = exchanges_.find_table(name)->bound;
  for (const auto& [binding, target] : bound) erase(binding);
  unbind_target(target_kind::exchange, name);
  if (exchanges_.find_definition(name) == nullptr) return;  // an auto-delete exchange that was bound to itself
  exchanges_.remove(name);
  rows_.erase(store::catalog_exchange, name);
}

// Deletes those of the exchanges that are auto-delete and have no binding left. This removes bindings to them, whose
// exchanges may be auto-delete in turn. A list and no recursion, because a chain may have as many links as there may be
// exchanges.
void exchange_registry::erase_unused(std::vector<std::string> exchanges) {
  while (!exchanges.empty()) {
    const std::string name = std::move(exchanges.back());
    exchanges.pop_back();
    const routing::exchange_table* const table = exchanges_.find_table(name);
    if (table == nullptr || !table->definition.auto_delete || !table->bound.empty()) continue;
    for (const binding_definition& binding : bindings_to({target_kind::exchange, name})) {
      erase(binding);
      exchanges.push_back(binding.exchange);
    }
    exchanges_.remove(name);
    rows_.erase(store::catalog_exchange, name);
  }
}

result<void> exchange_registry::check(const binding_definition& binding) const {
  const exchange_definition* const exchange = exchanges_.find_definition(binding.exchange);
  if (exchange == nullptr && !binding.exchange.empty()) {
    return error{errc::not_found, fmt::format("no exchange '{}'; declare it first", binding.exchange), "exchange"};
  }
  return check(binding, exchange == nullptr ? exchange_type::direct : exchange->type);
}

result<void> exchange_registry::check(const binding_definition& binding, exchange_type type) {
  if (binding.exchange.empty()) {
    return error{errc::not_allowed, "the default exchange routes to queues by their names and takes no bindings",
                 "exchange"};
  }
  if (binding.routing_key.size() > limits::routing_key_bytes) {
    return error{errc::too_large,
                 fmt::format("routing key of {} bytes is over the limit of {}", binding.routing_key.size(),
                             limits::routing_key_bytes),
                 "routing_key"};
  }
  if (const auto checked = check_arguments(binding.arguments); !checked) return checked;
  if (type != exchange_type::headers) return {};
  const auto parsed = routing::header_match::parse(binding.arguments);
  return parsed ? result<void>() : parsed.error();
}

result<void> exchange_registry::bind(const binding_definition& binding, const routing::target& target,
                                     bool is_transient) {
  if (numbers_.contains(binding)) return {};
  if (numbers_.size() >= limits::definitions_count) return limit_reached("bindings");
  if (is_transient) {
    exchanges_.bind(binding, target);
    add_number(binding, 0);
    return {};
  }
  if (const auto room = commits::check_room(store_); !room) return room;
  exchanges_.bind(binding, target);
  const std::uint64_t number = next_number_++;
  add_number(binding, number);
  rows_.put(store::catalog_binding, row_name(number), encode(binding));
  return {};
}

void exchange_registry::unbind(const binding_definition& binding) {
  if (!numbers_.contains(binding)) return;
  std::string exchange = binding.exchange;
  erase(binding);
  erase_unused({std::move(exchange)});
}

void exchange_registry::unbind_target(target_kind kind, std::string_view target) {
  std::vector<std::string> exchanges;
  for (const binding_definition& binding : bindings_to({kind, target})) {
    erase(binding);
    exchanges.push_back(binding.exchange);
  }
  erase_unused(std::move(exchanges));
}

std::vector<binding_definition> exchange_registry::bindings_to(const destination& destination) const {
  std::vector<binding_definition> found;
  const auto [first, last] = by_target_.equal_range(destination);
  for (auto one = first; one != last; ++one) found.push_back(*one->second);
  return found;
}

void exchange_registry::add_number(const binding_definition& binding, std::uint64_t number) {
  const auto added = numbers_.emplace(binding, number).first;
  by_target_.emplace(destination{added->first.kind, added->first.target}, &added->first);
}

void exchange_registry::erase(const binding_definition& binding) {
  exchanges_.unbind(binding);
  const auto number = numbers_.find(binding);
  const auto [first, last] = by_target_.equal_range({binding.kind, binding.target});
  by_target_.erase(std::find_if(first, last, [&](const auto& one) { return one.second == &number->first; }));
  if (number->second != 0) rows_.erase(store::catalog_binding, row_name(number->second));
  numbers_.erase(number);
}

}  // namespace tidegate::core::catalog
