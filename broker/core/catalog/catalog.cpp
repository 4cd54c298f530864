#include "broker/core/catalog/catalog.hpp"

#include <fmt/format.h>

#include "broker/base/bytes.hpp"

namespace tidegate::core::catalog {

catalog::catalog(store::store& store, commits::pipeline& commits, groups::offsets& offsets,
                 std::uint64_t retention_bytes)
    : commits_(commits),
      offsets_(offsets),
      rows_(commits),
      exchanges_(store, rows_, [this](std::string_view key) { return queues_.find(key); }),
      queues_(store, rows_),
      topics_(store, rows_, retention_bytes),
      protection_(store, offsets) {
  load(store.found_books(), store.found());
  protection_.warn(topics_);
}

void catalog::load(const store::books& books, const store::contents& found) {
  std::vector<std::pair<std::uint64_t, binding_definition>> bindings;
  found.each(store::fact_space::definition, [&](std::string_view key, std::string_view value) {
    switch (key.front()) {
      case store::catalog_exchange: return exchanges_.add_found(decode_exchange(value));
      case store::catalog_queue: return queues_.add_found(decode_queue(value), books);
      case store::catalog_topic: return topics_.add_found(decode_topic(value), books);
      case store::catalog_binding:
        if (key.size() != 1 + sizeof(std::uint64_t)) throw store_damaged("the store is damaged: a binding's number");
        bindings.emplace_back(load_be<std::uint64_t>(key.data() + 1), decode_binding(value));
        return;
      default: throw store_damaged("the store is damaged: a definition of unknown kind");
    }
  });
  // Bindings come after their targets, since a binding needs a pointer to its target.
  for (const auto& [number, binding] : bindings) {
    const routing::target target = target_of(binding);
    if (target == routing::target{}) throw store_damaged("the store is damaged: a binding's target is not there");
    exchanges_.add_found(number, binding, target);
  }
}

routing::target catalog::target_of(const binding_definition& binding) {
  switch (binding.kind) {
    case target_kind::queue: return {queues_.find(binding.target)};
    case target_kind::topic: return {nullptr, topics_.find(binding.target)};
    case target_kind::exchange: return {nullptr, nullptr, exchanges_.routes().find_table(binding.target)};
  }
  return {};
}

const routing::route* catalog::find_route(const message_view& message) {
  if (!message.exchange.empty()) return exchanges_.routes().find(message);
  const std::string_view routing_key = message.routing_key;
  // Successive messages mostly go to the same queue.
  if (!default_route_.queues.empty() && default_route_.queues.front()->name() == routing_key) return &default_route_;
  default_route_.queues.clear();
  queues::queue* const queue = queues_.find(routing_key);
  if (queue != nullptr && !queue_registry::is_delayed(*queue)) default_route_.queues.push_back(queue);
  return &default_route_;
}

result<const routing::route*> catalog::find_open_route(const message_view& message) {
  const routing::route* const route = find_route(message);
  if (route == nullptr) {
    return error{errc::not_found, fmt::format("no exchange '{}'; declare it first", message.exchange), "exchange"};
  }
  if (!route->is_internal) return route;
  return error{errc::not_allowed,
               fmt::format("exchange '{}' is internal: it takes messages from other exchanges only", message.exchange),
               "exchange"};
}

result<void> catalog::declare_exchange(const exchange_request& exchange, const receipt& answer, sameness sameness) {
  if (const auto declared = exchanges_.declare(exchange, sameness); !declared) return declared;
  return rows_.settle(answer);
}

result<queues::queue*> catalog::declare_queue(const queue_request& queue, const receipt& answer, sameness sameness) {
  const auto declared = queues_.declare(queue, answer.session, sameness);
  if (!declared) return declared;
  if ((*declared)->owner() != session_id{}) {
    rows_.settle_at_once(answer);
  } else {
    rows_.settle(answer).value();
  }
  return declared;
}

result<void> catalog::declare_topic(const topic_request& topic, const receipt& answer) {
  const bool is_known = topics_.find(topic.name) != nullptr;
  if (const auto declared = topics_.declare(topic); !declared) return declared;
  if (!is_known) protection_.warn(*topics_.find(topic.name));
  return rows_.settle(answer);
}

result<std::size_t> catalog::declare_all(const document& document, const receipt& answer) {
  const auto made = check_all(document);
  if (!made) return made;
  for (const exchange_request& one : document.exchanges) exchanges_.declare(one, sameness::lenient).value();
  for (const queue_request& one : document.queues) queues_.declare(one, {}, sameness::lenient).value();
  for (const topic_request& one : document.topics) {
    const bool is_known = topics_.find(one.name) != nullptr;
    topics_.declare(one).value();
    if (!is_known) protection_.warn(*topics_.find(one.name));
  }
  for (const binding_definition& one : document.bindings) exchanges_.bind(one, target_of(one), false).value();
  rows_.settle(answer).value();
  return made;
}

result<void> catalog::adopt_queue(const queue_request& queue) { return queues_.adopt(queue); }

result<void> catalog::adopt_topic(const topic_request& topic) {
  const auto adopted = topics_.adopt(topic);
  if (!adopted) return adopted.error();
  if (*adopted) protection_.warn(*topics_.find(topic.name));
  return {};
}

result<void> catalog::bind(const binding_definition& binding, const receipt& answer) {
  if (const auto checked = exchanges_.check(binding); !checked) return checked;
  const routing::target target = target_of(binding);
  if (target == routing::target{}) {
    return error{errc::not_found,
                 fmt::format("no {} '{}'; declare it first", tidegate::name(binding.kind), binding.target), "target"};
  }
  const bool is_transient = target.queue != nullptr && target.queue->owner() != session_id{};
  if (target.queue != nullptr) {
    const auto checked = queue_registry::check_usable(*target.queue, answer.session);
    if (!checked) return checked;
  }
  if (const auto bound = exchanges_.bind(binding, target, is_transient); !bound) return bound;
  if (!is_transient) return rows_.settle(answer);
  rows_.settle_at_once(answer);
  return {};
}

result<void> catalog::unbind(const binding_definition& binding, const receipt& answer) {
  if (const queues::queue* const queue = target_of(binding).queue) {
    if (const auto checked = queue_registry::check_owner(*queue, answer.session); !checked) return checked;
  }
  exchanges_.unbind(binding);
  return rows_.settle(answer);
}

result<void> catalog::remove_exchange(std::string_view name, const receipt& answer, bool only_unused) {
  if (const auto removed = exchanges_.remove(name, only_unused); !removed) return removed;
  return rows_.settle(answer);
}

void catalog::remove_queue(queues::queue& queue) {
  exchanges_.unbind_target(target_kind::queue, queue.name());
  default_route_.queues.clear();
  queues_.remove(queue);
  if (!commits_.gathering().empty()) rows_.hurry();
}

result<std::vector<stream_id>> catalog::remove_topic(std::string_view name, const receipt& answer) {
  std::vector<stream_id> gone;
  if (const topics::topic* const found = topics_.find(name)) {
    exchanges_.unbind_target(target_kind::topic, name);
    for (const topics::partition& partition : found->partitions()) {
      protection_.lose_unread(partition, commits_.gathering());
      offsets_.forget(partition.stream);
      gone.push_back(partition.stream);
    }
    topics_.remove(name);
  }
  rows_.settle(answer).value();
  return gone;
}

}  // namespace tidegate::core::catalog
