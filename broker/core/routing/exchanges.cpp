#include "broker/core/routing/exchanges.hpp"

#include <algorithm>
#include <unordered_set>

#include "broker/base/error.hpp"
#include "broker/base/limits.hpp"

namespace tidegate::core::routing {
namespace {

void erase_one(std::vector<target>& targets, const target& gone) {
  const auto found = std::find(targets.begin(), targets.end(), gone);
  if (found != targets.end()) targets.erase(found);
}

}  // namespace

// The way of one message: exchanges are entered breadth first, each once, and targets are collected without duplicates.
class exchanges::walk {
 public:
  walk(const exchanges& all, const message_view& message, std::string_view routing_key, route& into)
      : all_(all), message_(message), routing_key_(routing_key), route_(into) {}

  void from(exchange_table& first) {
    take({nullptr, nullptr, &first});
    for (std::size_t at = 0; at < entered_.size(); ++at) enter(*entered_[at]);
  }
  // The route depends on exchange and routing key alone.
  bool is_cacheable() const { return is_cacheable_; }

 private:
  void enter(const exchange_table& table) {
    is_matched_ = false;
    const auto take = [this](const target& target) { this->take(target); };
    switch (table.definition.type) {
      case exchange_type::direct:
        if (const auto bound = table.by_key.find(routing_key_); bound != table.by_key.end()) {
          for (const target& target : bound->second) take(target);
        }
        break;
      case exchange_type::topic: table.by_pattern.match(routing_key_, take); break;
      case exchange_type::fanout:
        for (const auto& [binding, target] : table.bound) take(target);
        break;
      case exchange_type::headers: match_headers(table); break;
    }
    if (!is_matched_ && table.definition.alternate) pass_to_alternate(*table.definition.alternate);
  }

  void match_headers(const exchange_table& table) {
    is_cacheable_ = false;
    if (table.by_headers.empty()) return;
    const auto headers = headers_of(message_);
    for (const auto& [binding, matching] : table.by_headers) {
      if (matching.first.matches(headers)) take(matching.second);
    }
  }

  void pass_to_alternate(const std::string& name) {
    if (name.empty()) {
      is_cacheable_ = false;
      if (queues::queue* const queue = all_.queue_of_(routing_key_)) take({queue, nullptr, nullptr});
    } else if (const auto found = all_.index_.find(name); found != all_.index_.end()) {
      take({nullptr, nullptr, found->second});
    }
  }

  void take(const target& target) {
    is_matched_ = true;
    add(route_.queues, target.queue);
    add(route_.topics, target.topic);
    add(entered_, target.exchange);
  }
  template <class T>
  void add(std::vector<T*>& targets, T* found) {
    if (found != nullptr && seen_.insert(found).second) targets.push_back(found);
  }

  const exchanges& all_;
  const message_view& message_;
  std::string_view routing_key_;
  route& route_;
  std::vector<exchange_table*> entered_;
  std::unordered_set<const void*> seen_;
  bool is_matched_ = false;  // the exchange that is being entered has a binding that matches
  bool is_cacheable_ = true;
};

exchanges::exchanges(default_exchange queue_of) : queue_of_(std::move(queue_of)) {
  add({"amq.direct", exchange_type::direct});
  add({"amq.fanout", exchange_type::fanout});
  add({"amq.topic", exchange_type::topic});
  add({"amq.headers", exchange_type::headers});
  add({"amq.match", exchange_type::headers});
}

bool exchanges::is_built_in(std::string_view name) { return name.empty() || name.starts_with("amq."); }

const exchange_definition* exchanges::find_definition(std::string_view name) const {
  const auto found = tables_.find(name);
  return found == tables_.end() ? nullptr : &found->second.definition;
}

exchange_table* exchanges::find_table(std::string_view name) {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : found->second;
}

void exchanges::add(exchange_definition exchange) {
  const auto [added, is_new] = tables_.try_emplace(exchange.name);
  TIDEGATE_EXPECT(is_new);
  index_.emplace(added->first, &added->second);
  added->second.definition = std::move(exchange);
  const exchange_definition& definition = added->second.definition;
  if (definition.alternate) link(definition.name, *definition.alternate);
  forget_routes_through(definition.name);
}

void exchanges::remove(std::string_view name) {
  const auto found = tables_.find(name);
  if (found == tables_.end()) return;
  forget_routes_through(name);
  exchange_table& table = found->second;
  for (const auto& [binding, target] : table.bound) {
    if (binding.kind == target_kind::exchange) unlink(name, binding.target);
    bindings_.erase(binding);
  }
  if (table.definition.alternate) unlink(name, *table.definition.alternate);
  index_.erase(found->first);
  tables_.erase(found);
}

bool exchanges::bind(const binding_definition& binding, const target& target) {
  if (!bindings_.insert(binding).second) return false;
  const auto found = index_.find(binding.exchange);
  TIDEGATE_EXPECT(found != index_.end());
  exchange_table& table = *found->second;
  table.bound.emplace(binding, target);
  switch (table.definition.type) {
    case exchange_type::direct: table.by_key[binding.routing_key].push_back(target); break;
    case exchange_type::topic: table.by_pattern.insert(binding.routing_key, target); break;
    case exchange_type::headers:
      table.by_headers.emplace(binding, std::pair(header_match::parse(binding.arguments).value(), target));
      break;
    case exchange_type::fanout: break;
  }
  if (binding.kind == target_kind::exchange) {
    ++table.exchange_targets;
    link(binding.exchange, binding.target);
  }
  forget_routes_through(binding.exchange);
  return true;
}

bool exchanges::unbind(const binding_definition& binding) {
  if (bindings_.erase(binding) == 0) return false;
  exchange_table& table = *index_.find(binding.exchange)->second;
  const auto bound = table.bound.find(binding);
  switch (table.definition.type) {
    case exchange_type::direct: {
      const auto targets = table.by_key.find(binding.routing_key);
      erase_one(targets->second, bound->second);
      if (targets->second.empty()) table.by_key.erase(targets);
      break;
    }
    case exchange_type::topic: table.by_pattern.erase(binding.routing_key, bound->second); break;
    case exchange_type::headers: table.by_headers.erase(binding); break;
    case exchange_type::fanout: break;
  }
  table.bound.erase(bound);
  if (binding.kind == target_kind::exchange) {
    --table.exchange_targets;
    unlink(binding.exchange, binding.target);
  }
  forget_routes_through(binding.exchange);
  return true;
}

void exchanges::link(std::string_view from, const std::string& to) { sources_[to].emplace(from); }

void exchanges::unlink(std::string_view from, std::string_view to) {
  const auto sources = sources_.find(to);
  sources->second.erase(sources->second.find(from));
  if (sources->second.empty()) sources_.erase(sources);
}

void exchanges::forget_routes(exchange_table& table) {
  cached_targets_ -= std::exchange(table.cached_targets, 0);
  table.routes.clear();
}

void exchanges::forget_all_routes() {
  for (auto& [name, table] : tables_) forget_routes(table);
}

// Empties the caches of this exchange and of all from which messages reach it. If these are many, all caches are
// emptied: then nothing is to do for the next change in a long chain.
void exchanges::forget_routes_through(std::string_view name) {
  constexpr std::size_t sources_max = 64;
  if (cached_targets_ == 0) return;
  std::vector<std::string_view> reached{name};
  std::unordered_set<std::string_view> seen{name};
  for (std::size_t at = 0; at < reached.size(); ++at) {
    if (reached.size() > sources_max) return forget_all_routes();
    if (const auto found = index_.find(reached[at]); found != index_.end()) forget_routes(*found->second);
    const auto sources = sources_.find(reached[at]);
    if (sources == sources_.end()) continue;
    for (const std::string& source : sources->second) {
      if (seen.insert(source).second) reached.push_back(source);
    }
  }
}

// All keys share one route of a fanout exchange, unless messages pass on from it.
std::string_view exchanges::cache_key(const exchange_table& table, std::string_view routing_key) {
  const exchange_definition& exchange = table.definition;
  const bool is_shared = exchange.type == exchange_type::fanout && table.exchange_targets == 0 && !exchange.alternate;
  return is_shared ? std::string_view() : routing_key;
}

const route* exchanges::find(const message_view& message) {
  const auto found = index_.find(message.exchange);
  if (found == index_.end()) return nullptr;
  exchange_table& table = *found->second;
  const std::string_view key = cache_key(table, message.routing_key);
  const auto cached = table.routes.find(key);
  if (cached != table.routes.end()) return &cached->second;
  uncached_.clear();
  uncached_.is_internal = table.definition.internal;
  walk way(*this, message, message.routing_key, uncached_);
  way.from(table);
  if (!way.is_cacheable()) return &uncached_;
  const std::size_t targets = 1 + uncached_.size();
  if (cached_targets_ + targets > limits::cached_route_targets) forget_all_routes();
  table.cached_targets += targets;
  cached_targets_ += targets;
  return &table.routes.emplace(key, std::move(uncached_)).first->second;
}

}  // namespace tidegate::core::routing
