#include "broker/store/offline/old_definitions.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "broker/model/definitions.hpp"
#include "broker/store/format.hpp"

namespace tidegate::store::offline {
namespace {

namespace json = boost::json;

json::object parse_object(std::string_view text) {
  boost::system::error_code failure;
  const json::value value = json::parse(text, failure);
  if (failure || !value.is_object()) throw store_damaged("the store is damaged: a definition is no JSON object");
  return value.get_object();
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* const found = object.if_contains(key);
  if (found == nullptr || !found->is_string()) {
    throw store_damaged(fmt::format("the store is damaged: a definition lacks {}", key));
  }
  return std::string(found->get_string());
}

std::string known_text(const json::value& value) {
  if (!value.is_string()) throw store_damaged("the store is damaged: a definition has no text where some belongs");
  return std::string(value.get_string());
}

template <class Value>
Value known(const result<Value>& parsed) {
  if (!parsed) throw store_damaged("the store is damaged: " + parsed.error().text);
  return *parsed;
}

std::uint64_t number_in(const json::value& value) {
  boost::system::error_code failure;
  const auto number = value.to_number<std::uint64_t>(failure);
  if (failure) throw store_damaged("the store is damaged: a definition has no number where one belongs");
  return number;
}

std::uint64_t number_of(const json::object& object, std::string_view key) {
  const auto* const found = object.if_contains(key);
  if (found == nullptr) throw store_damaged(fmt::format("the store is damaged: a definition lacks {}", key));
  return number_in(*found);
}

durability durability_of(const json::object& object) {
  return object.contains("durability") ? known(parse_durability(text_of(object, "durability"))) : durability{};
}

exchange_definition exchange_from_json(std::string_view text) {
  const json::object object = parse_object(text);
  return {text_of(object, "name"), known(parse_exchange_type(text_of(object, "type")))};
}

queue_definition queue_from_json(std::string_view text) {
  const json::object object = parse_object(text);
  queue_definition queue{text_of(object, "name"), static_cast<stream_id>(number_of(object, "stream")),
                         durability_of(object)};
  if (object.contains("messages_max")) queue.messages_max = number_of(object, "messages_max");
  if (object.contains("bytes_max")) queue.bytes_max = number_of(object, "bytes_max");
  if (object.contains("overflow")) queue.overflow = known(parse_overflow(text_of(object, "overflow")));
  return queue;
}

topic_definition topic_from_json(std::string_view text) {
  const json::object object = parse_object(text);
  topic_definition topic{text_of(object, "name"),
                         text_of(object, "uuid"),
                         number_of(object, "retention_bytes"),
                         std::chrono::milliseconds(number_of(object, "retention_ms")),
                         {}};
  const auto* const streams = object.if_contains("partitions");
  if (streams == nullptr || !streams->is_array()) throw store_damaged("the store is damaged: a topic lacks partitions");
  topic.retention_records = number_of(object, "retention_records");
  topic.overflow = known(parse_overflow(text_of(object, "overflow")));
  const auto* const groups = object.if_contains("protect");
  if (groups == nullptr || !groups->is_array()) throw store_damaged("the store is damaged: a topic lacks protect");
  for (const auto& group : groups->get_array()) topic.protect.push_back(known_text(group));
  topic.durability = durability_of(object);
  for (const auto& stream : streams->get_array()) topic.partitions.push_back(static_cast<stream_id>(number_in(stream)));
  return topic;
}

binding_definition binding_from_json(std::string_view text) {
  const json::object object = parse_object(text);
  return {text_of(object, "exchange"), known(parse_target_kind(text_of(object, "target_kind"))),
          text_of(object, "target"), text_of(object, "routing_key")};
}

}  // namespace

std::string definition_from_json(std::string_view key, std::string_view json) {
  switch (key.empty() ? '\0' : key.front()) {
    case catalog_exchange: return encode(exchange_from_json(json));
    case catalog_queue: return encode(queue_from_json(json));
    case catalog_topic: return encode(topic_from_json(json));
    case catalog_binding: return encode(binding_from_json(json));
    default: throw storage_failure("a definition of unknown kind");
  }
}

}  // namespace tidegate::store::offline
