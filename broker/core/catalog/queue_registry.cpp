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

// Queues of the broker's own, in which delayed messages wait.
constexpr std::string_view delayed_name = "amq.delayed";
constexpr std::string_view delayed_in_memory_name = "amq.delayed-in-memory";

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
  // Of an attribute that may be absent.
  template <class Value>
  void compare_optional(std::string_view field, const std::optional<Value>& wanted, const std::optional<Value>& own) {
    using maybe = std::optional<std::optional<Value>>;
    compare(field, wanted ? maybe(wanted) : maybe(), std::optional<Value>(), own,
            [](const std::optional<Value>& value) { return value ? fmt::format("{}", shown(*value)) : "none"; });
  }
  void compare_ms(std::string_view field, const std::optional<milliseconds>& wanted, milliseconds own) {
    compare(field, wanted, milliseconds(0), own, [](milliseconds value) { return value.count(); });
  }
  // The first difference.
  result<void> finish() const { return found_; }

 private:
  static auto shown(milliseconds value) { return value.count(); }
  static const std::string& shown(const std::string& value) { return value; }

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
  all.compare_optional("time_to_live", wanted.time_to_live, is.time_to_live);
  all.compare_ms("expires", wanted.expires, is.expires);
  all.compare_optional("dead_letter_exchange", wanted.dead_letter_exchange, is.dead_letter_exchange);
  all.compare_optional("dead_letter_key", wanted.dead_letter_key, is.dead_letter_key);
  const auto plain = [](std::uint32_t value) { return value; };
  all.compare("delivery_limit", wanted.delivery_limit, limits::delivery_limit,
              is.delivery_limit.value_or(limits::delivery_limit), plain);
  all.compare("priority_max", wanted.priority_max, std::uint32_t{0}, std::uint32_t{is.priority_max}, plain);
  all.compare_ms("retry_delay", wanted.retry_delay, is.retry_delay);
  all.compare_ms("retry_delay_max", wanted.retry_delay_max, is.retry_delay_max);
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
  made.time_to_live = request.time_to_live;
  made.expires = request.expires.value_or(milliseconds(0));
  made.dead_letter_exchange = request.dead_letter_exchange;
  made.dead_letter_key = request.dead_letter_key;
  made.delivery_limit = request.delivery_limit;
  made.priority_max = static_cast<std::uint8_t>(request.priority_max.value_or(0));
  made.retry_delay = request.retry_delay.value_or(milliseconds(0));
  made.retry_delay_max = request.retry_delay_max.value_or(milliseconds(0));
  return made;
}

result<void> check_time(std::string_view field, const std::optional<milliseconds>& value, milliseconds least) {
  if (!value || (*value >= least && *value <= limits::time_to_live_max)) return {};
  return error{errc::invalid,
               fmt::format("{} of {} ms is not from {} to {}", field, value->count(), least.count(),
                           limits::time_to_live_max.count()),
               std::string(field)};
}

// Checks the values of a request, and whether they fit together.
result<void> check_values(const queue_request& wanted) {
  for (const auto& checked :
       {check_time("time_to_live", wanted.time_to_live, milliseconds(0)),
        check_time("expires", wanted.expires, milliseconds(1)),
        check_time("retry_delay", wanted.retry_delay, milliseconds(0)),
        check_time("retry_delay_max", wanted.retry_delay_max, wanted.retry_delay.value_or(milliseconds(0)))}) {
    if (!checked) return checked;
  }
  if (wanted.priority_max.value_or(0) > limits::priority_max) {
    return error{errc::invalid,
                 fmt::format("priority_max {} is above {}, the highest", *wanted.priority_max, limits::priority_max),
                 "priority_max"};
  }
  if (wanted.dead_letter_exchange && wanted.dead_letter_exchange->size() > limits::name_bytes) {
    return error{errc::too_large,
                 fmt::format("dead_letter_exchange of {} bytes is over the limit of {}",
                             wanted.dead_letter_exchange->size(), limits::name_bytes),
                 "dead_letter_exchange"};
  }
  if (wanted.dead_letter_key && wanted.dead_letter_key->size() > limits::routing_key_bytes) {
    return error{errc::too_large,
                 fmt::format("dead_letter_key of {} bytes is over the limit of {}", wanted.dead_letter_key->size(),
                             limits::routing_key_bytes),
                 "dead_letter_key"};
  }
  if (wanted.dead_letter_exchange) return {};
  if (wanted.dead_letter_key) {
    return error{errc::precondition, "dead_letter_key needs dead_letter_exchange", "dead_letter_key"};
  }
  if (wanted.overflow == overflow::reject_dead_letter) {
    return error{errc::precondition, "overflow reject-dead-letter needs dead_letter_exchange", "overflow"};
  }
  return {};
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
  const std::vector<stream_id> levels = definition.levels;
  const durability durability = definition.durability;
  queues::queue& queue = add(std::make_unique<queues::queue>(std::move(definition), ledger));
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] == stream_id{}) continue;
    queue.lanes().add(static_cast<std::uint8_t>(i + 1), levels[i], &books_of(books, levels[i], durability));
    by_stream_.emplace(levels[i], &queue);
  }
}

queues::queue& queue_registry::add(std::unique_ptr<queues::queue> queue) {
  by_stream_.emplace(queue->stream(), queue.get());
  std::string name = queue->name();
  const auto added = by_name_.emplace(std::move(name), std::move(queue)).first;
  index_.emplace(added->first, added->second.get());
  note_used(*added->second);
  watch_expiry(*added->second);
  return *added->second;
}

void queue_registry::watch_expiry(queues::queue& queue) {
  const milliseconds expires = queue.definition().expires;
  if (expires.count() == 0) return;
  expiries_.emplace(used_[queue.stream()] + static_cast<std::uint64_t>(expires.count()), queue.stream());
}

void queue_registry::note_used(const queues::queue& queue) {
  if (queue.definition().expires.count() != 0) used_[queue.stream()] = rows_.now_ms();
}

// A queue is looked at when it would have expired if it had not been used since the last look.
queues::queue* queue_registry::find_expired() {
  if (expiries_.empty()) return nullptr;
  const std::uint64_t now = rows_.now_ms();
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    const auto found = by_stream_.find(expiries_.begin()->second);
    expiries_.erase(expiries_.begin());
    if (found == by_stream_.end()) continue;
    queues::queue& queue = *found->second;
    const auto expires = static_cast<std::uint64_t>(queue.definition().expires.count());
    if (expires == 0) continue;
    if (!queue.consumers().empty()) note_used(queue);
    if (used_[queue.stream()] + expires <= now) return &queue;
    watch_expiry(queue);
  }
  return nullptr;
}

std::optional<milliseconds> queue_registry::next_expiry() {
  if (expiries_.empty()) return std::nullopt;
  const std::uint64_t now = rows_.now_ms(), at = expiries_.begin()->first;
  return milliseconds(static_cast<std::int64_t>(at - std::min(at, now)));
}

result<void> queue_registry::check_owner(const queues::queue& queue, session_id session) {
  if (queue.owner() == session_id{} || queue.owner() == session) return {};
  return error{errc::locked, fmt::format("queue '{}' is exclusive to another connection", queue.name()), "queue"};
}

result<void> queue_registry::check_usable(const queues::queue& queue, session_id session) {
  if (!is_delayed(queue)) return check_owner(queue, session);
  return error{errc::not_allowed, fmt::format("messages wait in queue '{}' until they are due", queue.name()), "queue"};
}

result<queues::queue*> queue_registry::declare(const queue_request& request, session_id session, sameness sameness) {
  if (const auto checked = check(request, session, sameness); !checked) return checked.error();
  queues::queue* const known = request.name.empty() ? nullptr : find(request.name);
  if (known == nullptr) return &create(request, session);
  note_used(*known);
  return known;
}

result<void> queue_registry::check(const queue_request& request, session_id session, sameness sameness,
                                   std::size_t coming) const {
  const queues::queue* const known = request.name.empty() ? nullptr : find(request.name);
  if (known == nullptr) return check_new(request, coming);
  if (const auto checked = check_owner(*known, session); !checked) return checked;
  return check_same(*known, request, sameness);
}

result<void> queue_registry::check_new(const queue_request& request, std::size_t coming) const {
  if (request.name.starts_with(reserved_prefix)) {
    return error{errc::not_allowed, fmt::format("'{}': names that begin with amq. are the broker's", request.name),
                 "name"};
  }
  if (!request.name.empty()) {
    if (const auto checked = check_name("queue", request.name); !checked) return checked;
  }
  if (const auto checked = check_arguments(request.arguments.value_or("")); !checked) return checked;
  if (const auto checked = check_values(request); !checked) return checked;
  if (by_name_.size() + coming >= limits::definitions_count) return limit_reached("queues");
  const durability durability =
      request.exclusive ? durability::memory() : request.durability.value_or(tidegate::durability{});
  if (const auto checked = check_memory(store_, "queue", durability, 0); !checked) return checked;
  return request.exclusive ? result<void>() : commits::check_room(store_);
}

// The request was checked.
queues::queue& queue_registry::create(queue_request request, session_id session) {
  if (request.name.empty()) request.name = given_name();
  if (request.exclusive) {
    return create_transient(definition_of(request, static_cast<stream_id>(next_transient_--)), session);
  }
  return create_lasting(definition_of(request, store_.new_stream_id()));
}

queues::queue& queue_registry::create_lasting(queue_definition made) {
  rows_.change_stream(
      {store::stream_change::what::create, made.stream, store::stream_kind::queue, {}, made.durability.is_memory()});
  rows_.put(store::catalog_queue, made.name, encode(made));
  return add(std::make_unique<queues::queue>(std::move(made)));
}

void queue_registry::open_level(queues::queue& queue, std::uint8_t level) {
  if (queue.lanes().find(level) != nullptr) return;
  queue_definition changed = queue.definition();
  const bool is_transient = queue.owner() != session_id{};
  const stream_id stream = is_transient ? static_cast<stream_id>(next_transient_--) : store_.new_stream_id();
  if (changed.levels.size() < level) changed.levels.resize(level);
  changed.levels[level - 1u] = stream;
  if (is_transient) {
    store_.in_memory().add_transient(stream);
  } else {
    rows_.change_stream(
        {store::stream_change::what::create, stream, store::stream_kind::queue, {}, changed.durability.is_memory()});
    rows_.put(store::catalog_queue, changed.name, encode(changed));
  }
  queue.redefine(std::move(changed));
  queue.lanes().add(level, stream);
  by_stream_.emplace(stream, &queue);
}

queues::queue* queue_registry::open_delayed(bool in_memory) {
  const std::string_view name = in_memory ? delayed_in_memory_name : delayed_name;
  if (queues::queue* const known = find(name)) return known;
  const durability durability = in_memory ? durability::memory() : tidegate::durability{};
  if (by_name_.size() >= limits::definitions_count || !commits::check_room(store_) ||
      !check_memory(store_, "queue", durability, 0)) {
    return nullptr;
  }
  queue_definition made{std::string(name), store_.new_stream_id(), durability};
  return &create_lasting(std::move(made));
}

bool queue_registry::is_delayed(const queues::queue& queue) {
  return queue.name() == delayed_name || queue.name() == delayed_in_memory_name;
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
    if (const auto checked = check_new(request); !checked) return checked;
    create(request, {});
    return {};
  }
  if (is_delayed(*known)) {
    return error{errc::not_allowed, fmt::format("queue '{}' is the broker's own", known->name()), "name"};
  }
  if (const auto checked = check_values(request); !checked) return checked;
  const queue_definition& is = known->definition();
  queue_definition wanted = definition_of(request, is.stream);
  wanted.levels = is.levels;
  if (encode(wanted) == encode(is)) return {};
  if (const auto stays = check_stays("queue", is.name, is.durability, wanted.durability); !stays) return stays;
  rows_.put(store::catalog_queue, wanted.name, encode(wanted));
  known->redefine(wanted);
  note_used(*known);
  watch_expiry(*known);
  rows_.hurry();
  return {};
}

void queue_registry::remove(queues::queue& queue) {
  const auto found = by_name_.find(queue.name());
  TIDEGATE_EXPECT(found != by_name_.end());
  const bool is_transient = queue.owner() != session_id{};
  for (const queues::lane* const lane : queue.lanes().all()) {
    const stream_id stream = lane->stream();
    if (is_transient) {
      store_.in_memory().remove_transient(stream);
    } else {
      rows_.change_stream({store::stream_change::what::drop, stream, store::stream_kind::queue, {}});
    }
    by_stream_.erase(stream);
  }
  if (is_transient) {
    const auto owned = owned_.find(queue.owner());
    std::erase(owned->second, &queue);
    if (owned->second.empty()) owned_.erase(owned);
  } else {
    rows_.erase(store::catalog_queue, queue.name());
  }
  used_.erase(queue.stream());
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
