// The registry of exchanges and bindings: keeps routing's tables and the rows in the store in step.
#pragma once

#include <functional>
#include <map>
#include <string_view>

#include "broker/core/catalog/definition_rows.hpp"
#include "broker/core/routing/exchanges.hpp"

namespace tidegate::core::catalog {

class exchange_registry {
 public:
  exchange_registry(const store::store& store, definition_rows& rows) : store_(store), rows_(rows) {}

  // Adds an exchange or binding that the store held at start. `number`: the number under which the binding's row is
  // stored.
  void add_found(exchange_definition exchange) { exchanges_.add(std::move(exchange)); }
  void add_found(std::uint64_t number, const binding_definition& binding, const routing::target& target);

  // Creates the exchange; an existing one of the same type succeeds. Errors: it exists with another type; the name is
  // invalid or reserved; too many exchanges; the store is full.
  result<void> declare(std::string_view name, exchange_type type);
  // Deletes the exchange and its bindings; does nothing if there is none. Error: the exchange is built in.
  result<void> remove(std::string_view name);
  // Checks the exchange and the routing key of a binding. Errors: no such exchange; the default exchange, which takes
  // no bindings; the key is too long or not UTF-8.
  result<void> check(const binding_definition& binding) const;
  // Adds a binding that check() accepts; an existing one succeeds. Errors: too many bindings; the store is full.
  result<void> bind(const binding_definition& binding, const routing::target& target);
  // Removes the binding; does nothing if there is none.
  void unbind(const binding_definition& binding);
  // Removes all bindings to the target.
  void unbind_target(target_kind kind, std::string_view target);

  routing::exchanges& routes() { return exchanges_; }
  const routing::exchanges& routes() const { return exchanges_; }

 private:
  void unbind_all(const std::function<bool(const binding_definition&)>& chosen);

  const store::store& store_;
  definition_rows& rows_;
  routing::exchanges exchanges_;
  std::map<binding_definition, std::uint64_t> numbers_;  // of the bindings' rows
  std::uint64_t next_number_ = 1;
};

}  // namespace tidegate::core::catalog
