#include "broker/core/routing/exchanges.hpp"

#include <unordered_set>

#include "broker/base/error.hpp"
#include "broker/base/limits.hpp"

namespace tidegate::core::routing {
namespace {

// Collects the targets of one route without duplicates.
class collector {
 public:
  void take(const target& target) {
    add(route_.queues, target.queue);
    add(route_.topics, target.topic);
  }
  route route_;

 private:
  template <class T>
  void add(std::vector<T*>& targets, T* found) {
    if (found != nullptr && seen_.insert(found).second) targets.push_back(found);
  }
  std::unordered_set<const void*> seen_;
};

}  // namespace

exchanges::exchanges() {
  add({"amq.direct", exchange_type::direct});
  add({"amq.fanout", exchange_type::fanout});
  add({"amq.topic", exchange_type::topic});
}

bool exchanges::is_built_in(std::string_view name) { return name.empty() || name.starts_with("amq."); }

const exchange_definition* exchanges::find_definition(std::string_view name) const {
  const auto found = definitions_.find(name);
  return found == definitions_.end() ? nullptr : &found->second;
}

void exchanges::add(exchange_definition exchange) {
  tables_.try_emplace(exchange.name).first->second.type = exchange.type;
  definitions_.insert_or_assign(exchange.name, std::move(exchange));
}

void exchanges::remove(std::string_view name) {
  const auto found = tables_.find(name);
  if (found == tables_.end()) return;
  forget_routes(found->second);
  for (const auto& [binding, target] : found->second.bound) bindings_.erase(binding);
  tables_.erase(found);
  definitions_.erase(definitions_.find(name));
}

bool exchanges::bind(const binding_definition& binding, const target& target) {
  if (!bindings_.insert(binding).second) return false;
  const auto found = tables_.find(binding.exchange);
  TIDEGATE_EXPECT(found != tables_.end());
  table& table = found->second;
  table.bound.emplace(binding, target);
  if (table.type == exchange_type::direct) table.by_key[binding.routing_key].push_back(target);
  if (table.type == exchange_type::topic) table.by_pattern.insert(binding.routing_key, target);
  forget_routes(table);
  return true;
}

bool exchanges::unbind(const binding_definition& binding) {
  if (bindings_.erase(binding) == 0) return false;
  table& table = tables_.find(binding.exchange)->second;
  const auto bound = table.bound.find(binding);
  if (table.type == exchange_type::direct) {
    const auto targets = table.by_key.find(binding.routing_key);
    std::erase(targets->second, bound->second);
    if (targets->second.empty()) table.by_key.erase(targets);
  }
  if (table.type == exchange_type::topic) table.by_pattern.erase(binding.routing_key, bound->second);
  table.bound.erase(bound);
  forget_routes(table);
  return true;
}

void exchanges::forget_routes(table& table) {
  cached_targets_ -= std::exchange(table.cached_targets, 0);
  table.routes.clear();
}

const route* exchanges::find(std::string_view exchange, std::string_view routing_key) {
  const auto found = tables_.find(exchange);
  if (found == tables_.end()) return nullptr;
  table& table = found->second;
  if (table.type == exchange_type::fanout) routing_key = {};
  if (const auto cached = table.routes.find(routing_key); cached != table.routes.end()) return &cached->second;
  route made = match(table, routing_key);
  const std::size_t targets = 1 + made.size();
  if (cached_targets_ + targets > limits::cached_route_targets) {
    for (auto& [name, each] : tables_) forget_routes(each);
  }
  table.cached_targets += targets;
  cached_targets_ += targets;
  return &table.routes.emplace(routing_key, std::move(made)).first->second;
}

route exchanges::match(const table& table, std::string_view routing_key) {
  collector found;
  const auto take = [&](const target& target) { found.take(target); };
  switch (table.type) {
    case exchange_type::direct:
      if (const auto bound = table.by_key.find(routing_key); bound != table.by_key.end()) {
        for (const target& target : bound->second) take(target);
      }
      break;
    case exchange_type::topic: table.by_pattern.match(routing_key, take); break;
    case exchange_type::fanout:
      for (const auto& [binding, target] : table.bound) take(target);
      break;
  }
  return std::move(found.route_);
}

}  // namespace tidegate::core::routing
