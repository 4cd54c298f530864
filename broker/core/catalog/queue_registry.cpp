#include "broker/core/catalog/queue_registry.hpp"

#include "broker/base/limits.hpp"
#include "broker/core/catalog/memory_rules.hpp"
#include "broker/core/commits/refusals.hpp"

namespace tidegate::core::catalog {
namespace {

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

queue_definition definition_of(const queue_request& request, stream_id stream) {
  return {request.name,
          stream,
          request.durability.value_or(durability{}),
          request.messages_max,
          request.bytes_max,
          request.overflow.value_or(overflow::drop_oldest)};
}

}  // namespace

void queue_registry::add_found(queue_definition definition, const store::books& books) {
  const auto& ledger = books_of(books, definition.stream, definition.durability);
  add(std::make_unique<queues::queue>(std::move(definition), ledger));
}

void queue_registry::add(std::unique_ptr<queues::queue> queue) {
  by_stream_.emplace(queue->stream(), queue.get());
  std::string name = queue->name();
  const auto added = by_name_.emplace(std::move(name), std::move(queue)).first;
  index_.emplace(added->first, added->second.get());
}

result<void> queue_registry::declare(const queue_request& request) {
  if (const auto* const known = find(request.name)) return check_same(known->definition(), request);
  return create(request);
}

result<void> queue_registry::create(const queue_request& request) {
  if (const auto checked = check_name("queue", request.name); !checked) return checked;
  if (by_name_.size() >= limits::definitions_count) return limit_reached("queues");
  if (const auto checked = check_memory(store_, "queue", request.durability.value_or(durability{}), 0); !checked) {
    return checked;
  }
  if (const auto room = commits::check_room(store_); !room) return room;
  queue_definition made = definition_of(request, store_.new_stream_id());
  rows_.change_stream(
      {store::stream_change::what::create, made.stream, store::stream_kind::queue, {}, made.durability.is_memory()});
  rows_.put(store::catalog_queue, made.name, encode(made));
  add(std::make_unique<queues::queue>(std::move(made)));
  return {};
}

result<void> queue_registry::adopt(const queue_request& request) {
  queues::queue* const known = find(request.name);
  if (known == nullptr) return create(request);
  const queue_definition& is = known->definition();
  const queue_definition wanted = definition_of(request, is.stream);
  if (encode(wanted) == encode(is)) return {};
  if (const auto stays = check_stays("queue", is.name, is.durability, wanted.durability); !stays) return stays;
  rows_.put(store::catalog_queue, wanted.name, encode(wanted));
  known->redefine(wanted);
  rows_.hurry();
  return {};
}

void queue_registry::remove(std::string_view name) {
  const auto found = by_name_.find(name);
  TIDEGATE_EXPECT(found != by_name_.end());
  const stream_id stream = found->second->stream();
  rows_.change_stream({store::stream_change::what::drop, stream, store::stream_kind::queue, {}});
  rows_.erase(store::catalog_queue, name);
  by_stream_.erase(stream);
  index_.erase(found->first);
  by_name_.erase(found);
}

queues::queue* queue_registry::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : found->second;
}

queues::queue* queue_registry::find(stream_id stream) const {
  const auto found = by_stream_.find(stream);
  return found == by_stream_.end() ? nullptr : found->second;
}

}  // namespace tidegate::core::catalog
