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

  // Add what the store held at the start. `number`: the name that a binding's row goes by.
  void add_found(exchange_definition exchange) { exchanges_.add(std::move(exchange)); }
  void add_found(std::uint64_t number, const binding_definition& binding, const routing::target& target);

  // Makes it, or finds it as it is wanted. Errors: it is of another type; the name; too many; the store is full.
  result<void> declare(std::string_view name, exchange_type type);
  // Deletes it with its bindings; where there is none, nothing. Error: it is built in.
  result<void> remove(std::string_view name);
  // Binds, if it is not bound. Errors: no such exchange, or it takes no bindings; the key; too many; the store is full.
  result<void> check(const binding_definition& binding) const;
  result<void> bind(const binding_definition& binding, const routing::target& target);
  // Where there is no such binding, nothing.
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
