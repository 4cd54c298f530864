#include "broker/store/offline/catalog.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"

namespace tidegate::store::offline {
namespace {

// Returns whether the exchange exists without a definition.
bool is_built_in(std::string_view exchange) { return exchange.empty() || exchange.starts_with("amq."); }

void check_key(std::string_view key, std::string_view name) {
  if (key.substr(1) == name) return;
  throw storage_failure(fmt::format("the store is damaged: the definition of {} stands under another name", name));
}

}  // namespace

void catalog::own(stream_id stream, stream_owner owner) {
  const auto [found, is_new] = streams_.try_emplace(stream, std::move(owner));
  if (is_new) return;
  throw storage_failure(fmt::format("the store is damaged: two definitions name stream {}, one of them is {} {}",
                                    static_cast<std::uint32_t>(stream), tidegate::name(found->second.kind),
                                    found->second.name));
}

void catalog::add(std::string_view key, std::string_view definition) {
  switch (key.empty() ? '\0' : key.front()) {
    case catalog_exchange: {
      exchange_definition found = decode_exchange(definition);
      check_key(key, found.name);
      exchanges_.insert(std::move(found.name));
      return;
    }
    case catalog_queue: {
      const queue_definition found = decode_queue(definition);
      check_key(key, found.name);
      queues_.insert(found.name);
      own(found.stream, {target_kind::queue, found.name, 0, found.durability.is_memory()});
      for (std::uint32_t i = 0; i < found.levels.size(); ++i) {
        if (found.levels[i] == stream_id{}) continue;
        own(found.levels[i], {target_kind::queue, found.name, i + 1, found.durability.is_memory()});
      }
      return;
    }
    case catalog_topic: {
      const topic_definition found = decode_topic(definition);
      check_key(key, found.name);
      topics_.insert(found.name);
      for (std::uint32_t i = 0; i < found.partitions.size(); ++i) {
        own(found.partitions[i], {target_kind::topic, found.name, i, found.durability.is_memory()});
      }
      return;
    }
    case catalog_binding:
      if (key.size() != 1 + sizeof(std::uint64_t)) throw storage_failure("the store is damaged: a binding's key");
      bindings_.push_back(decode_binding(definition));
      return;
    default: throw storage_failure("the store is damaged: a definition of unknown kind");
  }
}

bool catalog::has_exchange(const std::string& name) const { return is_built_in(name) || exchanges_.contains(name); }

bool catalog::has_target(const binding_definition& binding) const {
  if (binding.kind == target_kind::exchange) return has_exchange(binding.target);
  return (binding.kind == target_kind::queue ? queues_ : topics_).contains(binding.target);
}

std::vector<std::string> catalog::dangling() const {
  std::vector<std::string> found;
  for (const binding_definition& binding : bindings_) {
    if (!has_exchange(binding.exchange)) {
      found.push_back(fmt::format("a binding leads from exchange {}, which is not there", binding.exchange));
    }
    if (!has_target(binding)) {
      found.push_back(
          fmt::format("a binding leads to {} {}, which is not there", tidegate::name(binding.kind), binding.target));
    }
  }
  return found;
}

}  // namespace tidegate::store::offline
