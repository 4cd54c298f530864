#include "broker/model/definitions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "broker/base/limits.hpp"

namespace tidegate {
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

// "commit" is not written: rows without the key are as they were before there was a choice.
void put_durability(json::object& object, durability durability) {
  if (durability != tidegate::durability{}) object["durability"] = to_text(durability);
}

durability durability_of(const json::object& object) {
  return object.contains("durability") ? known(parse_durability(text_of(object, "durability"))) : durability{};
}

}  // namespace

std::string_view name(exchange_type type) {
  switch (type) {
    case exchange_type::direct: return "direct";
    case exchange_type::fanout: return "fanout";
    case exchange_type::topic: return "topic";
  }
  return "";
}

result<exchange_type> parse_exchange_type(std::string_view text) {
  for (const auto type : {exchange_type::direct, exchange_type::fanout, exchange_type::topic}) {
    if (text == name(type)) return type;
  }
  return error{errc::invalid, fmt::format("exchange type '{}' is not direct, fanout or topic", text), "type"};
}

std::string_view name(target_kind kind) { return kind == target_kind::queue ? "queue" : "topic"; }

result<target_kind> parse_target_kind(std::string_view text) {
  if (text == "queue") return target_kind::queue;
  if (text == "topic") return target_kind::topic;
  return error{errc::invalid, fmt::format("binding target '{}' is not queue or topic", text), "target_kind"};
}

// A continuation byte is 10xxxxxx; the bounds on the first one leave out overlong forms, surrogates and what is above
// U+10FFFF.
bool is_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<std::uint8_t>(text[at]) : 0; };
  for (std::size_t at = 0; at < text.size();) {
    const int first = byte(at);
    const int more = first < 0x80                    ? 0
                     : first >= 0xC2 && first < 0xE0 ? 1
                     : (first & 0xF0) == 0xE0        ? 2
                     : first >= 0xF0 && first < 0xF5 ? 3
                                                     : -1;
    if (more < 0) return false;
    const int least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const int most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (more > 0 && (byte(at + 1) < least || byte(at + 1) > most)) return false;
    for (int i = 2; i <= more; ++i) {
      if ((byte(at + static_cast<std::size_t>(i)) & 0xC0) != 0x80) return false;
    }
    at += 1 + static_cast<std::size_t>(more);
  }
  return true;
}

result<void> check_name(std::string_view what, std::string_view name) {
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
  if (!name.empty() && name.size() <= limits::name_bytes && printable && is_utf8(name)) return {};
  return error{
      errc::invalid,
      fmt::format("a name of {} bytes for a {}: it takes 1 to {} bytes of UTF-8, none of them control characters",
                  name.size(), what, limits::name_bytes),
      "name"};
}

result<void> check_topic_name(std::string_view name) {
  const bool legal = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
  if (legal && !name.empty() && name.size() <= limits::name_bytes && name != "." && name != "..") return {};
  return error{errc::invalid,
               fmt::format("topic name '{}': it takes 1 to {} letters, digits, '.', '_' and '-'", name.substr(0, 64),
                           limits::name_bytes),
               "name"};
}

std::string_view name(overflow overflow) { return overflow == overflow::reject ? "reject" : "drop-oldest"; }

result<overflow> parse_overflow(std::string_view text) {
  for (const overflow known : {overflow::drop_oldest, overflow::reject}) {
    if (name(known) == text) return known;
  }
  return error{errc::invalid, fmt::format("overflow '{}' is not drop-oldest or reject", text), "overflow"};
}

std::string to_json(const exchange_definition& exchange) {
  return json::serialize(json::object{{"name", exchange.name}, {"type", name(exchange.type)}});
}

std::string to_json(const queue_definition& queue) {
  json::object object{{"name", queue.name}, {"stream", static_cast<std::uint32_t>(queue.stream)}};
  put_durability(object, queue.durability);
  if (queue.messages_max != 0) object["messages_max"] = queue.messages_max;
  if (queue.bytes_max != 0) object["bytes_max"] = queue.bytes_max;
  if (queue.overflow != overflow::drop_oldest) object["overflow"] = name(queue.overflow);
  return json::serialize(object);
}

std::string to_json(const topic_definition& topic) {
  json::array streams;
  for (const stream_id stream : topic.partitions) streams.emplace_back(static_cast<std::uint32_t>(stream));
  json::object object{{"name", topic.name},
                      {"uuid", topic.uuid},
                      {"retention_bytes", topic.retention_bytes},
                      {"retention_ms", topic.retention_age.count()},
                      {"retention_records", topic.retention_records},
                      {"overflow", name(topic.overflow)},
                      {"protect", json::value_from(topic.protect)},
                      {"partitions", std::move(streams)}};
  put_durability(object, topic.durability);
  return json::serialize(object);
}

std::string to_json(const binding_definition& binding) {
  return json::serialize(json::object{{"exchange", binding.exchange},
                                      {"target_kind", name(binding.kind)},
                                      {"target", binding.target},
                                      {"routing_key", binding.routing_key}});
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

}  // namespace tidegate
