// The registry of exchanges and bindings: keeps routing's tables and the rows in the store in step.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/catalog/definition_rows.hpp"
#include "broker/core/routing/exchanges.hpp"

namespace tidegate::core::catalog {

// An exchange as a client or the configuration asks for it. Declaring an existing exchange leniently accepts its own
// value where a field is not set; exactly, fields that are not set stand for false and none.
struct exchange_request {
  std::string name;
  exchange_type type = exchange_type::direct;
  std::optional<bool> auto_delete = {}, internal = {};
  std::optional<std::string> alternate = {};
  std::optional<std::string> arguments = {};
};

class exchange_registry {
 public:
  exchange_registry(const store::store& store, definition_rows& rows, routing::exchanges::default_exchange queue_of)
      : store_(store), rows_(rows), exchanges_(std::move(queue_of)) {}

  // Adds an exchange or binding that the store held at start. `number`: the number under which the binding's row is
  // stored.
  void add_found(exchange_definition exchange) { exchanges_.add(std::move(exchange)); }
  void add_found(std::uint64_t number, const binding_definition& binding, const routing::target& target);

  // Checks what declare() would do; errors as there. `coming`: exchanges that are to be made before.
  result<void> check(const exchange_request& request, sameness sameness, std::size_t coming = 0) const;
  // Creates the exchange; an existing one with the same attributes succeeds. Errors: it exists with another attribute
  // (the first one is named); a name is invalid or reserved; the arguments are too long or do not decode; too many
  // exchanges; the store is full.
  result<void> declare(const exchange_request& request, sameness sameness);
  // Deletes the exchange with its bindings and those to it; does nothing if there is none. Errors: the exchange is
  // built in; `only_unused`, and it has bindings.
  result<void> remove(std::string_view name, bool only_unused);
  // Checks the exchange, the routing key and the arguments of a binding. Errors: no such exchange; the default
  // exchange, which takes no bindings; the key is too long; the arguments are too long, do not decode, or do not suit a
  // headers exchange.
  result<void> check(const binding_definition& binding) const;
  // The same for an exchange of this type, which may be still to be made.
  static result<void> check(const binding_definition& binding, exchange_type type);
  bool has(const binding_definition& binding) const { return numbers_.contains(binding); }
  std::size_t bindings_count() const { return numbers_.size(); }
  // Adds a binding that check() accepts; an existing one succeeds. `is_transient`: it gets no row, as its queue has
  // none. Errors: too many bindings; the store is full.
  result<void> bind(const binding_definition& binding, const routing::target& target, bool is_transient);
  // Removes the binding; does nothing if there is none. An auto-delete exchange is deleted with its last binding.
  void unbind(const binding_definition& binding);
  // Removes all bindings to the target.
  void unbind_target(target_kind kind, std::string_view target);

  routing::exchanges& routes() { return exchanges_; }
  const routing::exchanges& routes() const { return exchanges_; }

 private:
  // What a binding leads to; bindings are found by it, too.
  struct destination {
    target_kind kind;
    std::string_view name;
    friend auto operator<=>(const destination&, const destination&) = default;
  };
  void create(const exchange_request& request);
  void add_number(const binding_definition& binding, std::uint64_t number);
  std::vector<binding_definition> bindings_to(const destination& destination) const;
  void erase(const binding_definition& binding);
  void erase(std::string_view exchange);
  void erase_unused(std::vector<std::string> exchanges);

  const store::store& store_;
  definition_rows& rows_;
  routing::exchanges exchanges_;
  std::map<binding_definition, std::uint64_t> numbers_;              // of the bindings' rows; 0 = no row
  std::multimap<destination, const binding_definition*> by_target_;  // points into numbers_
  std::uint64_t next_number_ = 1;
};

}  // namespace tidegate::core::catalog
