#include "broker/core/catalog/queue_registry.hpp"

#include <fmt/format.h>

#include <random>

#include "broker/base/limits.hpp"
#include "broker/core/catalog/memory_rules.hpp"
#include "broker/core/commits/refusals.hpp"

namespace tidegate::core::catalog {
namespace {

// Names that the broker gives and keeps for itself begin like this, as RabbitMQ's do.
constexpr std::string_view reserved_prefix = "amq.";

// Compares one attribute: what the request does not set is the queue's own value, or exactly the default.
class comparison {
 public:
  comparison(const queue_definition& is, bool is_exact) : is_(is), is_exact_(is_exact) {}

  template <class Value, class Show>
  void compare(std::string_view field, const std::optional<Value>& wanted, const Value& standard, const Value& own,
               Show show) {
    const Value& asked = wanted ? *wanted : is_exact_ ? standard : own;
    if (found_ && asked != own) found_ = differs("queue", is_.name, field, show(own), show(asked));
  }
  void compare(std::string_view field, std::uint64_t wanted, std::uint64_t own) {
    compare(field, wanted == 0 ? std::optional<std::uint64_t>() : wanted, std::uint64_t{0}, own,
            [](std::uint64_t value) { return value; });
  }
  void compare(std::string_view field, const std::optional<bool>& wanted, bool own) {
    compare(field, wanted, false, own, [](bool value) { return value; });
  }
  // The first difference.
  result<void> finish() const { return found_; }

 private:
  const queue_definition& is_;
  bool is_exact_;
  result<void> found_;
};

result<void> check_same(const queues::queue& queue, const queue_request& wanted, sameness sameness) {
  const queue_definition& is = queue.definition();
  const bool is_exact = sameness == sameness::exact;
  comparison all(is, is_exact);
  const bool was_exclusive = queue.owner() != session_id{};
  all.compare("exclusive", is_exact || wanted.exclusive ? std::optional(wanted.exclusive) : std::nullopt,
              was_exclusive);
  if (!was_exclusive) {
    all.compare("durability", wanted.durability, durability{}, is.durability,
                [](const durability& value) { return to_text(value); });
  }
  all.compare("messages_max", wanted.messages_max, is.messages_max);
  all.compare("bytes_max", wanted.bytes_max, is.bytes_max);
  all.compare("overflow", wanted.overflow, overflow::drop_oldest, is.overflow,
              [](overflow value) { return name(value); });
  all.compare("auto_delete", wanted.auto_delete, is.auto_delete);
  all.compare("single_active", wanted.single_active, is.single_active);
  return all.finish();
}

queue_definition definition_of(const queue_request& request, stream_id stream) {
  queue_definition made{request.name,
                        stream,
                        request.exclusive ? durability::memory() : request.durability.value_or(durability{}),
                        request.messages_max,
                        request.bytes_max,
                        request.overflow.value_or(overflow::drop_oldest)};
  made.auto_delete = request.auto_delete.value_or(false);
  made.single_active = request.single_active.value_or(false);
  made.arguments = request.arguments.value_or("");
  return made;
}

// A name that nobody can guess, so that a peer that learns of it was told.
std::string given_name() {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr int length = 22;  // of 6 bits each
  std::random_device source;
  std::string name(reserved_prefix);
  name.append("gen-");
  for (int i = 0; i < length; ++i) name.push_back(digits[source() % digits.size()]);
  return name;
}

}  // namespace

void queue_registry::add_found(queue_definition definition, const store::books& books) {
  const auto& ledger = books_of(books, definition.stream, definition.durability);
  add(std::make_unique<queues::queue>(std::move(definition), ledger));
}

queues::queue& queue_registry::add(std::unique_ptr<queues::queue> queue) {
  by_stream_.emplace(queue->stream(), queue.get());
  std::string name = queue->name();
  const auto added = by_name_.emplace(std::move(name), std::move(queue)).first;
  index_.emplace(added->first, added->second.get());
  return *added->second;
}

result<void> queue_registry::check_owner(const queues::queue& queue, session_id session) {
  if (queue.owner() == session_id{} || queue.owner() == session) return {};
  return error{errc::locked, fmt::format("queue '{}' is exclusive to another connection", queue.name()), "queue"};
}

result<queues::queue*> queue_registry::declare(const queue_request& request, session_id session, sameness sameness) {
  queues::queue* const known = request.name.empty() ? nullptr : find(request.name);
  if (known == nullptr) return create(request, session);
  if (const auto checked = check_owner(*known, session); !checked) return checked.error();
  if (const auto same = check_same(*known, request, sameness); !same) return same.error();
  return known;
}

result<queues::queue*> queue_registry::create(queue_request request, session_id session) {
  if (request.name.empty()) {
    request.name = given_name();
  } else if (request.name.starts_with(reserved_prefix)) {
    return error{errc::not_allowed, fmt::format("'{}': names that begin with amq. are the broker's", request.name),
                 "name"};
  }
  if (const auto checked = check_name("queue", request.name); !checked) return checked.error();
  if (const auto checked = check_arguments(request.arguments.value_or("")); !checked) return checked.error();
  if (by_name_.size() >= limits::definitions_count) return limit_reached("queues");
  const durability durability =
      request.exclusive ? durability::memory() : request.durability.value_or(tidegate::durability{});
  if (const auto checked = check_memory(store_, "queue", durability, 0); !checked) return checked.error();
  if (request.exclusive) {
    return &create_transient(definition_of(request, static_cast<stream_id>(next_transient_--)), session);
  }
  if (const auto room = commits::check_room(store_); !room) return room.error();
  queue_definition made = definition_of(request, store_.new_stream_id());
  rows_.change_stream(
      {store::stream_change::what::create, made.stream, store::stream_kind::queue, {}, made.durability.is_memory()});
  rows_.put(store::catalog_queue, made.name, encode(made));
  return &add(std::make_unique<queues::queue>(std::move(made)));
}

queues::queue& queue_registry::create_transient(queue_definition made, session_id owner) {
  store_.in_memory().add_transient(made.stream);
  queues::queue& queue = add(std::make_unique<queues::queue>(std::move(made), owner));
  owned_[owner].push_back(&queue);
  return queue;
}

result<void> queue_registry::adopt(const queue_request& request) {
  queues::queue* const known = find(request.name);
  if (known == nullptr) {
    const auto created = create(request, {});
    return created ? result<void>() : created.error();
  }
  const queue_definition& is = known->definition();
  queue_definition wanted = definition_of(request, is.stream);
  wanted.levels = is.levels;
  if (encode(wanted) == encode(is)) return {};
  if (const auto stays = check_stays("queue", is.name, is.durability, wanted.durability); !stays) return stays;
  rows_.put(store::catalog_queue, wanted.name, encode(wanted));
  known->redefine(wanted);
  rows_.hurry();
  return {};
}

void queue_registry::remove(queues::queue& queue) {
  const auto found = by_name_.find(queue.name());
  TIDEGATE_EXPECT(found != by_name_.end());
  const stream_id stream = queue.stream();
  if (queue.owner() != session_id{}) {
    store_.in_memory().remove_transient(stream);
    const auto owned = owned_.find(queue.owner());
    std::erase(owned->second, &queue);
    if (owned->second.empty()) owned_.erase(owned);
  } else {
    rows_.change_stream({store::stream_change::what::drop, stream, store::stream_kind::queue, {}});
    rows_.erase(store::catalog_queue, queue.name());
  }
  by_stream_.erase(stream);
  index_.erase(found->first);
  by_name_.erase(found);
}

std::vector<queues::queue*> queue_registry::owned_by(session_id session) const {
  const auto found = owned_.find(session);
  return found == owned_.end() ? std::vector<queues::queue*>() : found->second;
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
