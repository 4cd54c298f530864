#include "broker/core/catalog/topic_registry.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include "broker/base/limits.hpp"
#include "broker/core/catalog/memory_rules.hpp"
#include "broker/core/commits/refusals.hpp"

namespace tidegate::core::catalog {
namespace {

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

store::stream_limits limits_of(const topic_definition& topic) {
  return {topic.retention_bytes, topic.retention_age, topic.retention_records, topic.overflow, topic.protect};
}

}  // namespace

void topic_registry::add_found(topic_definition definition, const store::books& books) {
  auto made = std::make_unique<topics::topic>(std::move(definition));
  for (topics::partition& partition : made->partitions()) {
    const auto& ledger = books_of(books, partition.stream, made->definition().durability);
    partition.next = ledger.next;
    // The ledger's time includes producers' own timestamps, which may be later than any that the broker stamped.
    partition.newest_timestamp_ms = std::min(ledger.newest_timestamp_ms, books.time.wall.count());
    by_stream_[partition.stream] = &partition;
    rows_.change_stream(
        {store::stream_change::what::limit, partition.stream, store::stream_kind::log, limits_of(made->definition())});
  }
  by_name_.emplace(made->definition().name, std::move(made));
}

result<void> topic_registry::declare(const topic_request& request) {
  if (const auto checked = check_declared(request, {}); !checked) return checked;
  if (find(request.name) == nullptr) create(request);
  return {};
}

result<void> topic_registry::check_declared(const topic_request& request, const amount& coming) const {
  if (const auto* const known = find(request.name)) return check_same(known->definition(), request);
  if (const auto checked = check(request, coming.partitions); !checked) return checked;
  if (by_name_.size() + coming.topics >= limits::definitions_count) return limit_reached("topics");
  return commits::check_room(store_);
}

// Checks a new topic, or what the configuration changes of an existing one.
result<void> topic_registry::check(const topic_request& request, std::size_t coming_partitions) const {
  if (const auto checked = check_topic_name(request.name); !checked) return checked;
  const topics::topic* const known = find(request.name);
  const std::size_t has = known == nullptr ? 0 : known->partitions().size();
  const std::size_t wanted = std::max<std::size_t>({1, has, request.partitions});
  if (wanted > limits::partitions_per_topic) {
    return error{errc::limit,
                 fmt::format("{} partitions are over the limit of {} a topic", wanted, limits::partitions_per_topic),
                 "partitions"};
  }
  if (by_stream_.size() + coming_partitions - has + wanted > limits::definitions_count)
    return limit_reached("partitions");
  if (request.retention_bytes != 0 && request.retention_bytes < limits::retention_bytes_min) {
    return error{errc::invalid,
                 fmt::format("retention of {} bytes: it takes {} or more, or 0 for the broker's default",
                             request.retention_bytes, limits::retention_bytes_min),
                 "retention_bytes"};
  }
  const durability durability = request.durability.value_or(tidegate::durability{});
  if (const auto checked = check_memory(store_, "topic", durability, request.retention_bytes); !checked) return checked;
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

// The request was checked.
void topic_registry::create(const topic_request& request) {
  const durability durability = request.durability.value_or(tidegate::durability{});
  const std::uint64_t retention_bytes =
      request.retention_bytes != 0 ? request.retention_bytes : default_retention(store_, durability, retention_bytes_);
  auto created =
      std::make_unique<topics::topic>(topic_definition{request.name,
                                                       boost::uuids::to_string(boost::uuids::random_generator()()),
                                                       retention_bytes,
                                                       request.retention_age,
                                                       {},
                                                       request.retention_records,
                                                       request.overflow.value_or(overflow::drop_oldest),
                                                       request.protect,
                                                       durability});
  grow(*created, std::max(1u, request.partitions));
  by_name_.emplace(request.name, std::move(created));
}

// Adds partitions up to this number, with the limits of the topic's definition, and writes the definition.
void topic_registry::grow(topics::topic& topic, std::size_t partitions) {
  topic_definition definition = topic.definition();
  while (definition.partitions.size() < partitions) {
    const stream_id stream = store_.new_stream_id();
    rows_.change_stream({store::stream_change::what::create, stream, store::stream_kind::log, limits_of(definition),
                         definition.durability.is_memory()});
    definition.partitions.push_back(stream);
  }
  rows_.put(store::catalog_topic, definition.name, encode(definition));
  topic.replace(std::move(definition));
  for (topics::partition& partition : topic.partitions()) by_stream_[partition.stream] = &partition;
}

result<bool> topic_registry::adopt(const topic_request& request) {
  topics::topic* const known = find(request.name);
  if (known == nullptr) {
    if (const auto checked = check_declared(request, {}); !checked) return checked.error();
    create(request);
    return true;
  }
  topic_definition wanted = known->definition();
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
  if (same) return false;
  if (const auto stays = check_stays("topic", wanted.name, wanted.durability, durability); !stays) return stays.error();
  if (const auto checked = check(request); !checked) return checked.error();
  if (request.retention_bytes != 0) wanted.retention_bytes = request.retention_bytes;
  wanted.retention_age = request.retention_age;
  wanted.retention_records = request.retention_records;
  wanted.overflow = overflow;
  wanted.protect = request.protect;
  wanted.durability = durability;
  known->replace(wanted);
  for (const stream_id stream : wanted.partitions) {
    rows_.change_stream({store::stream_change::what::limit, stream, store::stream_kind::log, limits_of(wanted)});
  }
  grow(*known, std::max<std::size_t>(request.partitions, wanted.partitions.size()));
  rows_.hurry();
  return true;
}

std::unique_ptr<topics::topic> topic_registry::remove(std::string_view name) {
  const auto found = by_name_.find(name);
  TIDEGATE_EXPECT(found != by_name_.end());
  std::unique_ptr<topics::topic> removed = std::move(found->second);
  for (const topics::partition& partition : removed->partitions()) {
    rows_.change_stream({store::stream_change::what::drop, partition.stream, store::stream_kind::log, {}});
    by_stream_.erase(partition.stream);
  }
  rows_.erase(store::catalog_topic, name);
  by_name_.erase(found);
  return removed;
}

topics::topic* topic_registry::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

topics::partition* topic_registry::find(stream_id stream) const {
  const auto found = by_stream_.find(stream);
  return found == by_stream_.end() ? nullptr : found->second;
}

result<topics::partition*> topic_registry::find(const topic_name& topic, std::uint32_t number) const {
  topics::topic* const found = find(topic.name);
  if (found == nullptr) {
    return error{errc::not_found, fmt::format("no topic '{}'; declare it first", topic.name), "topic"};
  }
  const std::string& id = found->definition().uuid;
  if (!topic.id.empty() && topic.id != id) {
    return error{errc::precondition,
                 fmt::format("topic '{}' was deleted and declared again: it is {} now, not {}; its offsets begin anew",
                             topic.name, id, topic.id),
                 "topic_id"};
  }
  if (topics::partition* const partition = found->find(number)) return partition;
  return error{
      errc::not_found,
      fmt::format("topic '{}' has partitions 0 to {}, not {}", topic.name, found->partitions().size() - 1, number),
      "partition"};
}

}  // namespace tidegate::core::catalog
