// The broker's exchanges, queues, topics and bindings: declared, listed, removed, found again at the start.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include "broker/base/bytes.hpp"
#include "broker/core/broker.hpp"

namespace tidegate::core {
namespace {

std::string catalog_key(char kind, std::string_view name) { return std::string(1, kind).append(name); }

// Both names and the key of a binding together may be longer than an LMDB key, so it goes by number.
std::string binding_name(std::uint64_t id) {
  std::string name;
  append_be(name, id);
  return name;
}

error limit_reached(std::string_view what) {
  return {errc::limit, fmt::format("{} {} are the limit", limits::definitions_count, what)};
}

// What was declared before, and is declared again with another attribute.
template <class Value>
error differs(std::string_view what, std::string_view name, std::string_view field, const Value& is,
              const Value& wanted) {
  return {errc::precondition, fmt::format("{} '{}' has {} {}, not {}", what, name, field, is, wanted),
          std::string(field)};
}

result<void> check_same(const queue_definition& is, const queue_request& wanted) {
  const durability durability = wanted.durability.value_or(is.durability);
  if (durability != is.durability) {
    return differs("queue", is.name, "durability", to_text(is.durability), to_text(durability));
  }
  if (wanted.messages_max != 0 && wanted.messages_max != is.messages_max) {
    return differs("queue", is.name, "messages_max", is.messages_max, wanted.messages_max);
  }
  if (wanted.bytes_max != 0 && wanted.bytes_max != is.bytes_max) {
    return differs("queue", is.name, "bytes_max", is.bytes_max, wanted.bytes_max);
  }
  if (wanted.overflow.value_or(is.overflow) != is.overflow) {
    return differs("queue", is.name, "overflow", name(is.overflow), name(*wanted.overflow));
  }
  return {};
}

result<void> check_same(const topic_definition& is, const topic_request& wanted) {
  const auto age = is.retention_age.count(), wanted_age = wanted.retention_age.count();
  if (wanted.partitions != 0 && wanted.partitions != is.partitions.size()) {
    return differs<std::uint64_t>("topic", is.name, "partitions", is.partitions.size(), wanted.partitions);
  }
  if (wanted.retention_bytes != 0 && wanted.retention_bytes != is.retention_bytes) {
    return differs("topic", is.name, "retention_bytes", is.retention_bytes, wanted.retention_bytes);
  }
  if (wanted_age != 0 && wanted_age != age) return differs("topic", is.name, "retention_ms", age, wanted_age);
  if (wanted.retention_records != 0 && wanted.retention_records != is.retention_records) {
    return differs("topic", is.name, "retention_records", is.retention_records, wanted.retention_records);
  }
  if (wanted.overflow.value_or(is.overflow) != is.overflow) {
    return differs("topic", is.name, "overflow", name(is.overflow), name(*wanted.overflow));
  }
  if (!wanted.protect.empty() && wanted.protect != is.protect) {
    return error{errc::precondition, fmt::format("topic '{}' protects other groups", is.name), "protect"};
  }
  const durability durability = wanted.durability.value_or(is.durability);
  if (durability == is.durability) return {};
  return differs("topic", is.name, "durability", to_text(is.durability), to_text(durability));
}

const store::stream_ledger& stream_in(const store::books& books, stream_id stream, durability durability) {
  const auto found = books.streams.find(stream);
  if (found == books.streams.end()) throw store_damaged("the store is damaged: a definition's stream is not there");
  if (found->second.in_memory != durability.is_memory()) {
    throw store_damaged("the store is damaged: a definition's stream has another durability");
  }
  return found->second;
}

template <class Targets>
auto* known_target(const Targets& targets, const binding_definition& binding) {
  const auto found = targets.find(binding.target);
  if (found == targets.end()) throw store_damaged("the store is damaged: a binding's target is not there");
  return found->second.get();
}

store::stream_limits limits_of(const topic_definition& topic) {
  return {topic.retention_bytes, topic.retention_age, topic.retention_records, topic.overflow, topic.protect};
}

}  // namespace

void broker::load() {
  const auto& books = store_.found_books();
  std::vector<std::pair<std::uint64_t, binding_definition>> bindings;
  store_.found().each(store::fact_space::definition, [&](std::string_view key, std::string_view value) {
    switch (key.front()) {
      case store::catalog_exchange: exchanges_.add(decode_exchange(value)); break;
      case store::catalog_queue: {
        const queue_definition found = decode_queue(value);
        auto made = std::make_unique<queue>(found, stream_in(books, found.stream, found.durability));
        queue_streams_[found.stream] = made.get();
        queues_.emplace(found.name, std::move(made));
        break;
      }
      case store::catalog_topic: {
        auto made = std::make_unique<topic>(decode_topic(value));
        for (partition& partition : made->partitions()) {
          const auto& ledger = stream_in(books, partition.stream, made->definition().durability);
          partition.next = ledger.next;
          // Producers' own times may be later than any that was stamped.
          partition.newest_timestamp_ms = std::min(ledger.newest_timestamp_ms, books.time.wall.count());
          partition_streams_[partition.stream] = &partition;
          store_.open_group().change_stream({store::stream_change::what::limit, partition.stream,
                                             store::stream_kind::log, limits_of(made->definition())});
        }
        topics_.emplace(made->definition().name, std::move(made));
        break;
      }
      case store::catalog_binding:
        if (key.size() != 1 + sizeof(std::uint64_t)) throw store_damaged("the store is damaged: a binding's number");
        bindings.emplace_back(load_be<std::uint64_t>(key.data() + 1), decode_binding(value));
        break;
      default: throw store_damaged("the store is damaged: a definition of unknown kind");
    }
  });
  for (const auto& [id, binding] : bindings) {
    const bool to_queue = binding.kind == target_kind::queue;
    exchanges_.bind(binding, {to_queue ? known_target(queues_, binding) : nullptr,
                              to_queue ? nullptr : known_target(topics_, binding)});
    binding_ids_[binding] = id;
    next_binding_ = std::max(next_binding_, id + 1);
  }
  tell_unmatched_protect();
}

// Definitions are committed at once.
result<void> broker::defined(const receipt& answer) {
  commits_.answer_later(answer, false);
  commits_.note(milliseconds(0));
  return {};
}

void broker::define(char kind, std::string_view name, std::string value) {
  store_.open_group().put_definition(catalog_key(kind, name), std::move(value));
}

result<void> broker::declare_exchange(std::string_view name, exchange_type type, const receipt& answer) {
  if (const auto* const known = exchanges_.find_definition(name)) {
    if (known->type != type) {
      return error{
          errc::precondition,
          fmt::format("exchange '{}' is of type {}, not {}", name, tidegate::name(known->type), tidegate::name(type)),
          "type"};
    }
  } else {
    if (const auto checked = check_name("exchange", name); !checked) return checked.error();
    if (routing::exchanges::is_built_in(name)) {
      return error{errc::not_allowed, fmt::format("'{}': names that begin with amq. are the broker's", name), "name"};
    }
    if (exchanges_.definitions().size() >= limits::definitions_count) return limit_reached("exchanges");
    if (const auto room = check_room(); !room) return room;
    const exchange_definition made{std::string(name), type};
    define(store::catalog_exchange, name, encode(made));
    exchanges_.add(made);
  }
  return defined(answer);
}

result<void> broker::declare_queue(const queue_request& request, const receipt& answer) {
  if (const auto known = queues_.find(request.name); known != queues_.end()) {
    if (const auto same = check_same(known->second->definition(), request); !same) return same;
  } else {
    if (const auto checked = check_name("queue", request.name); !checked) return checked.error();
    if (queues_.size() >= limits::definitions_count) return limit_reached("queues");
    if (const auto checked = check_memory("queue", request.durability.value_or(durability{}), 0); !checked) {
      return checked;
    }
    if (const auto room = check_room(); !room) return room;
    create_queue(request);
  }
  return defined(answer);
}

void broker::create_queue(const queue_request& request) {
  const queue_definition definition{
      request.name,         store_.new_stream_id(), request.durability.value_or(durability{}),
      request.messages_max, request.bytes_max,      request.overflow.value_or(overflow::drop_oldest)};
  store_.open_group().change_stream({store::stream_change::what::create,
                                     definition.stream,
                                     store::stream_kind::queue,
                                     {},
                                     definition.durability.is_memory()});
  define(store::catalog_queue, definition.name, encode(definition));
  auto made = std::make_unique<queue>(definition);
  queue_streams_[definition.stream] = made.get();
  queues_.emplace(definition.name, std::move(made));
}

result<void> broker::adopt_queue(const queue_request& request) {
  const auto known = queues_.find(request.name);
  if (known == queues_.end()) return declare_queue(request, {});
  queue& queue = *known->second;
  const queue_definition& is = queue.definition();
  const queue_definition wanted{is.name,
                                is.stream,
                                request.durability.value_or(durability{}),
                                request.messages_max,
                                request.bytes_max,
                                request.overflow.value_or(overflow::drop_oldest)};
  if (encode(wanted) == encode(is)) return {};
  if (const auto stays = check_stays("queue", is.name, is.durability, wanted.durability); !stays) return stays;
  define(store::catalog_queue, wanted.name, encode(wanted));
  queue.redefine(wanted);
  commits_.note(milliseconds(0));
  return {};
}

result<void> broker::declare_topic(const topic_request& request, const receipt& answer) {
  if (const auto known = topics_.find(request.name); known != topics_.end()) {
    if (const auto same = check_same(known->second->definition(), request); !same) return same;
  } else {
    if (const auto checked = check_topic(request); !checked) return checked;
    if (topics_.size() >= limits::definitions_count) return limit_reached("topics");
    if (const auto room = check_room(); !room) return room;
    create_topic(request);
  }
  return defined(answer);
}

// Of a new one, or of what the configuration adds to one.
result<void> broker::check_topic(const topic_request& request) const {
  if (const auto checked = check_topic_name(request.name); !checked) return checked;
  const auto known = topics_.find(request.name);
  const std::size_t has = known == topics_.end() ? 0 : known->second->partitions().size();
  const std::size_t wanted = std::max<std::size_t>({1, has, request.partitions});
  if (wanted > limits::partitions_per_topic) {
    return error{errc::limit,
                 fmt::format("{} partitions are over the limit of {} a topic", wanted, limits::partitions_per_topic),
                 "partitions"};
  }
  if (partition_streams_.size() - has + wanted > limits::definitions_count) return limit_reached("partitions");
  if (request.retention_bytes != 0 && request.retention_bytes < limits::retention_bytes_min) {
    return error{errc::invalid,
                 fmt::format("retention of {} bytes: it takes {} or more, or 0 for the broker's default",
                             request.retention_bytes, limits::retention_bytes_min),
                 "retention_bytes"};
  }
  if (const auto checked = check_memory("topic", request.durability.value_or(durability{}), request.retention_bytes);
      !checked) {
    return checked;
  }
  if (request.retention_age < milliseconds(0) || request.retention_age > limits::retention_age_max) {
    return error{errc::invalid, fmt::format("retention age: it takes 0 to {}", limits::retention_age_max),
                 "retention_ms"};
  }
  if (request.protect.size() > limits::protected_groups) {
    return error{
        errc::limit,
        fmt::format("{} protected groups are over the limit of {}", request.protect.size(), limits::protected_groups),
        "protect"};
  }
  for (const std::string& group : request.protect) {
    if (const auto checked = check_name("group", group); !checked) return checked;
  }
  return topics::check_definition_size(request.name, request.protect, wanted);
}

void broker::create_topic(const topic_request& request) {
  const durability durability = request.durability.value_or(tidegate::durability{});
  topic_definition made{request.name,
                        boost::uuids::to_string(boost::uuids::random_generator()()),
                        request.retention_bytes != 0 ? request.retention_bytes : retention_bytes_default(durability),
                        request.retention_age,
                        {},
                        request.retention_records,
                        request.overflow.value_or(overflow::drop_oldest),
                        request.protect,
                        durability};
  auto created = std::make_unique<topic>(made);
  grow_topic(*created, std::max(1u, request.partitions));
  tell_unmatched_protect(*topics_.emplace(request.name, std::move(created)).first->second);
}

// To so many partitions, with the limits its definition has; and writes the definition.
void broker::grow_topic(topic& topic, std::size_t partitions) {
  topic_definition definition = topic.definition();
  while (definition.partitions.size() < partitions) {
    const stream_id stream = store_.new_stream_id();
    store_.open_group().change_stream({store::stream_change::what::create, stream, store::stream_kind::log,
                                       limits_of(definition), definition.durability.is_memory()});
    definition.partitions.push_back(stream);
  }
  define(store::catalog_topic, definition.name, encode(definition));
  topic.replace(std::move(definition));
  for (partition& partition : topic.partitions()) partition_streams_[partition.stream] = &partition;
}

result<void> broker::adopt_topic(const topic_request& request) {
  const auto known = topics_.find(request.name);
  if (known == topics_.end()) return declare_topic(request, {});
  topic_definition wanted = known->second->definition();
  if (request.partitions != 0 && request.partitions < wanted.partitions.size()) {
    return error{
        errc::precondition,
        fmt::format(
            "topic '{}' has {} partitions; they cannot be taken away: configure {} or more, or delete the topic",
            request.name, wanted.partitions.size(), wanted.partitions.size()),
        "partitions"};
  }
  const auto durability = request.durability.value_or(tidegate::durability{});
  const auto overflow = request.overflow.value_or(tidegate::overflow::drop_oldest);
  const bool same = request.partitions <= wanted.partitions.size() &&
                    (request.retention_bytes == 0 || request.retention_bytes == wanted.retention_bytes) &&
                    request.retention_age == wanted.retention_age &&
                    request.retention_records == wanted.retention_records && overflow == wanted.overflow &&
                    request.protect == wanted.protect && durability == wanted.durability;
  if (same) return {};
  if (const auto stays = check_stays("topic", wanted.name, wanted.durability, durability); !stays) return stays;
  if (const auto checked = check_topic(request); !checked) return checked;
  if (request.retention_bytes != 0) wanted.retention_bytes = request.retention_bytes;
  wanted.retention_age = request.retention_age;
  wanted.retention_records = request.retention_records;
  wanted.overflow = overflow;
  wanted.protect = request.protect;
  wanted.durability = durability;
  known->second->replace(wanted);
  for (const stream_id stream : wanted.partitions) {
    store_.open_group().change_stream(
        {store::stream_change::what::limit, stream, store::stream_kind::log, limits_of(wanted)});
  }
  grow_topic(*known->second, std::max<std::size_t>(request.partitions, wanted.partitions.size()));
  tell_unmatched_protect(*known->second);
  commits_.note(milliseconds(0));
  return {};
}

result<void> broker::bind(const binding_definition& binding, const receipt& answer) {
  if (binding.exchange.empty()) {
    return error{errc::not_allowed, "the default exchange routes to queues by their names and takes no bindings",
                 "exchange"};
  }
  if (exchanges_.find_definition(binding.exchange) == nullptr) {
    return error{errc::not_found, fmt::format("no exchange '{}'; declare it first", binding.exchange), "exchange"};
  }
  if (binding.routing_key.size() > limits::routing_key_bytes) {
    return error{errc::too_large,
                 fmt::format("routing key of {} bytes is over the limit of {}", binding.routing_key.size(),
                             limits::routing_key_bytes),
                 "routing_key"};
  }
  if (!is_utf8(binding.routing_key)) {
    return error{errc::invalid, "the routing key is not UTF-8", "routing_key"};
  }
  const auto queue = queues_.find(binding.target);
  const auto topic = topics_.find(binding.target);
  const bool to_queue = binding.kind == target_kind::queue;
  if (to_queue ? queue == queues_.end() : topic == topics_.end()) {
    return error{errc::not_found,
                 fmt::format("no {} '{}'; declare it first", tidegate::name(binding.kind), binding.target), "target"};
  }
  if (!binding_ids_.contains(binding)) {
    if (binding_ids_.size() >= limits::definitions_count) return limit_reached("bindings");
    if (const auto room = check_room(); !room) return room;
    exchanges_.bind(binding, {to_queue ? queue->second.get() : nullptr, to_queue ? nullptr : topic->second.get()});
    const std::uint64_t id = next_binding_++;
    binding_ids_[binding] = id;
    define(store::catalog_binding, binding_name(id), encode(binding));
  }
  return defined(answer);
}

result<void> broker::unbind(const binding_definition& binding, const receipt& answer) {
  if (exchanges_.unbind(binding)) {
    store_.open_group().erase_definition(catalog_key(store::catalog_binding, binding_name(binding_ids_.at(binding))));
    binding_ids_.erase(binding);
  }
  return defined(answer);
}

void broker::remove_bindings(const std::function<bool(const binding_definition&)>& chosen) {
  const auto all = exchanges_.bindings();
  for (const binding_definition& binding : all) {
    if (chosen(binding)) static_cast<void>(unbind(binding, {}));
  }
}

result<void> broker::remove_exchange(std::string_view name, const receipt& answer) {
  if (routing::exchanges::is_built_in(name)) {
    return error{errc::not_allowed, fmt::format("exchange '{}' is built in and stays", name), "name"};
  }
  if (exchanges_.find_definition(name) != nullptr) {
    remove_bindings([&](const auto& binding) { return binding.exchange == name; });
    exchanges_.remove(name);
    store_.open_group().erase_definition(catalog_key(store::catalog_exchange, name));
  }
  return defined(answer);
}

result<void> broker::remove_queue(std::string_view name, const receipt& answer) {
  if (const auto found = queues_.find(name); found != queues_.end()) {
    queue& queue = *found->second;
    if (!queue.consumers().empty()) {
      return error{errc::precondition,
                   fmt::format("queue '{}' has {} consumers; end them first", name, queue.consumers().size()), "name"};
    }
    remove_bindings([&](const auto& binding) { return binding.kind == target_kind::queue && binding.target == name; });
    store_.open_group().change_stream(
        {store::stream_change::what::drop, queue.stream(), store::stream_kind::queue, {}});
    store_.open_group().erase_definition(catalog_key(store::catalog_queue, name));
    queue_streams_.erase(queue.stream());
    queues_.erase(found);
  }
  return defined(answer);
}

result<void> broker::remove_topic(std::string_view name, const receipt& answer) {
  if (const auto found = topics_.find(name); found != topics_.end()) {
    remove_bindings([&](const auto& binding) { return binding.kind == target_kind::topic && binding.target == name; });
    std::uint32_t number = 0;
    for (partition& partition : found->second->partitions()) {
      lose_unread(found->second->definition(), number++, partition);
      store_.open_group().change_stream(
          {store::stream_change::what::drop, partition.stream, store::stream_kind::log, {}});
      offsets_.forget(partition.stream);
      partition_streams_.erase(partition.stream);
    }
    const auto removed = std::move(found->second);
    topics_.erase(found);
    store_.open_group().erase_definition(catalog_key(store::catalog_topic, name));
    for (partition& partition : removed->partitions()) wake_watchers(partition);
  }
  return defined(answer);
}

const queue* broker::find_queue(std::string_view name) const {
  const auto found = queues_.find(name);
  return found == queues_.end() ? nullptr : found->second.get();
}

const topic* broker::find_topic(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

std::vector<queue_row> broker::list_queues(std::string_view after, std::size_t rows_max) const {
  std::vector<queue_row> rows;
  for (auto found = queues_.upper_bound(after); found != queues_.end() && rows.size() < rows_max; ++found) {
    const auto& queue = found->second;
    const auto* const stream = store_.read().find(queue->stream());
    rows.push_back({&queue->definition(), queue->ready(), queue->ready_bytes(), queue->unsettled(),
                    queue->consumers().size(), stream == nullptr ? 0 : stream->bytes, queue->discarded(),
                    stream == nullptr ? store::drop_totals{} : stream->drops});
  }
  return rows;
}

std::vector<topic_row> broker::list_topics(std::string_view after, std::size_t rows_max) const {
  std::vector<topic_row> rows;
  for (auto found = topics_.upper_bound(after); found != topics_.end() && rows.size() < rows_max; ++found) {
    const auto& topic = found->second;
    topic_row& row = rows.emplace_back(topic_row{&topic->definition(), {}});
    for (const partition& partition : topic->partitions()) {
      const auto* const stream = store_.read().find(partition.stream);
      row.partitions.push_back(stream == nullptr
                                   ? partition_row{}
                                   : partition_row{stream->log_start, stream->end, stream->bytes, stream->drops});
    }
  }
  return rows;
}

}  // namespace tidegate::core
