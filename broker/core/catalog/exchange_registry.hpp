// The exchanges and bindings with their rows in the store.
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

  // Add what the store held at the start. `number`: the name of the binding's row.
  void add_found(exchange_definition exchange) { exchanges_.add(std::move(exchange)); }
  void add_found(std::uint64_t number, const binding_definition& binding, const routing::target& target);

  // Makes the exchange, or finds it of the same type. Errors: another type; the name; too many exchanges; the store is
  // full.
  result<void> declare(std::string_view name, exchange_type type);
  // Deletes the exchange with its bindings; does nothing if there is none. Error: it is built in.
  result<void> remove(std::string_view name);
  // Adds a binding if it is missing. Errors: no such exchange, or it takes no bindings; the key; too many bindings; the
  // store is full.
  result<void> check(const binding_definition& binding) const;
  result<void> bind(const binding_definition& binding, const routing::target& target);
  // Does nothing if there is no such binding.
  void unbind(const binding_definition& binding);
  void unbind_target(target_kind kind, std::string_view target);

  routing::exchanges& routes() { return exchanges_; }
  const routing::exchanges& routes() const { return exchanges_; }

 private:
  void unbind_all(const std::function<bool(const binding_definition&)>& chosen);

  const store::store& store_;
  definition_rows& rows_;
  routing::exchanges exchanges_;
  std::map<binding_definition, std::uint64_t> numbers_;
  std::uint64_t next_number_ = 1;
};

}  // namespace tidegate::core::catalog
