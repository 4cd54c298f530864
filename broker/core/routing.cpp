#include "broker/core/routing.hpp"

#include <unordered_set>

#include "broker/base/error.hpp"
#include "broker/base/limits.hpp"

namespace tidegate::core {
namespace {

// The first word, cut off the front. `end` tells that there was none.
struct word {
  std::string_view text;
  std::string_view rest;
  bool more = false;  // words follow
};

word first_word(std::string_view words) {
  const auto dot = words.find('.');
  if (dot == std::string_view::npos) return {words, {}, false};
  return {words.substr(0, dot), words.substr(dot + 1), true};
}

std::vector<std::string_view> split(std::string_view words) {
  std::vector<std::string_view> out;
  if (words.empty()) return out;
  for (word next = first_word(words);; next = first_word(next.rest)) {
    out.push_back(next.text);
    if (!next.more) return out;
  }
}

// The targets met so far, besides their order in the route.
using seen_targets = std::unordered_set<const void*>;

template <class T>
void add_once(std::vector<T*>& targets, seen_targets& seen, T* target) {
  if (target != nullptr && seen.insert(target).second) targets.push_back(target);
}

}  // namespace

// Greedy with one step back: when a word does not fit, the latest `#` takes one word more. Linear in practice, and
// never worse than words x pattern words.
bool topic_matches(std::string_view pattern, std::string_view routing_key) {
  const auto rules = split(pattern), words = split(routing_key);
  std::size_t rule = 0, at = 0, hash = rules.size(), hash_at = 0;
  while (at < words.size()) {
    if (rule < rules.size() && rules[rule] == "#") {
      hash = rule++;
      hash_at = at;
    } else if (rule < rules.size() && (rules[rule] == "*" || rules[rule] == words[at])) {
      ++rule;
      ++at;
    } else if (hash < rules.size()) {
      rule = hash + 1;
      at = ++hash_at;
    } else {
      return false;
    }
  }
  while (rule < rules.size() && rules[rule] == "#") ++rule;
  return rule == rules.size();
}

routing::routing() {
  add_exchange({"amq.direct", exchange_type::direct});
  add_exchange({"amq.fanout", exchange_type::fanout});
  add_exchange({"amq.topic", exchange_type::topic});
}

bool routing::is_built_in(std::string_view name) { return name.empty() || name.starts_with("amq."); }

const exchange_definition* routing::find_exchange(std::string_view name) const {
  const auto found = exchanges_.find(name);
  return found == exchanges_.end() ? nullptr : &found->second;
}

void routing::add_exchange(exchange_definition exchange) {
  forget_routes();
  exchanges_.insert_or_assign(exchange.name, exchange);
}

void routing::remove_exchange(std::string_view name) {
  forget_routes();
  const std::string key(name);  // std::map erases by its own key type only, and not there is no error
  rules_.erase(key);
  std::erase_if(bindings_, [&](const auto& binding) { return binding.exchange == name; });
  exchanges_.erase(key);
}

bool routing::bind(const binding_definition& binding, queue* queue, topic* topic) {
  if (!bindings_.insert(binding).second) return false;
  forget_routes();
  rules_[binding.exchange].emplace_back(binding, rule{binding.routing_key, queue, topic});
  return true;
}

bool routing::unbind(const binding_definition& binding) {
  if (bindings_.erase(binding) == 0) return false;
  forget_routes();
  const auto rules = rules_.find(binding.exchange);
  std::erase_if(rules->second, [&](const auto& rule) { return rule.first == binding; });
  if (rules->second.empty()) rules_.erase(rules);
  return true;
}

void routing::forget_routes() {
  cache_.clear();
  cached_targets_ = 0;
}

const route& routing::find(std::string_view exchange, std::string_view routing_key) {
  const exchange_definition* const definition = find_exchange(exchange);
  TIDEGATE_EXPECT(definition != nullptr);
  std::string key(exchange);
  key.push_back('\0');
  if (definition->type != exchange_type::fanout) key.append(routing_key);
  if (const auto cached = cache_.find(key); cached != cache_.end()) return cached->second;
  route found = match(*definition, routing_key);
  const std::size_t targets = 1 + found.queues.size() + found.topics.size();
  if (cached_targets_ + targets > limits::cached_route_targets) forget_routes();
  cached_targets_ += targets;
  return cache_.emplace(std::move(key), std::move(found)).first->second;
}

route routing::match(const exchange_definition& exchange, std::string_view routing_key) const {
  route out;
  seen_targets seen;
  const auto rules = rules_.find(exchange.name);
  if (rules == rules_.end()) return out;
  for (const auto& [binding, rule] : rules->second) {
    const bool matches = exchange.type == exchange_type::fanout ||
                         (exchange.type == exchange_type::direct && rule.routing_key == routing_key) ||
                         (exchange.type == exchange_type::topic && topic_matches(rule.routing_key, routing_key));
    if (!matches) continue;
    add_once(out.queues, seen, rule.to_queue);
    add_once(out.topics, seen, rule.to_topic);
  }
  return out;
}

}  // namespace tidegate::core
