#include "client/tool/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <iterator>
#include <limits>

#include "broker/model/field_table.hpp"

namespace tidegate::tool {

namespace json = boost::json;

namespace {

constexpr const char* lists[] = {"exchanges", "queues", "topics", "bindings"};

[[noreturn]] void refuse(const std::string& place, std::string_view what) {
  throw error_exception(error{errc::invalid, fmt::format("{}: {}", place, what), place});
}

// Copies the members that are there and say something: null, false and nought stand for what is not set.
json::object picked(const json::object& row, std::initializer_list<const char*> names) {
  json::object found;
  for (const char* name : names) {
    const json::value* const value = row.if_contains(name);
    if (value == nullptr || value->is_null() || *value == false) continue;
    if (value->is_int64() && value->as_int64() == 0) continue;
    if (value->is_array() && value->as_array().empty()) continue;
    found[name] = *value;
  }
  return found;
}

// Reads the members of one definition. Every member has to be read, or the definition holds one that is not known.
class member_reader {
 public:
  member_reader(const json::value& value, std::string place) : place_(std::move(place)) {
    if (!value.is_object()) refuse(place_, "it is not a JSON object");
    object_ = &value.as_object();
  }

  void take(const char* name, std::string& into) {
    if (const auto* const value = find(name, "a text", &json::value::is_string)) into = value->as_string();
  }
  void take(const char* name, std::optional<std::string>& into) {
    if (const auto* const value = find(name, "a text", &json::value::is_string)) into = std::string(value->as_string());
  }
  void take(const char* name, std::optional<bool>& into) {
    if (const auto* const value = find(name, "true or false", &json::value::is_bool)) into = value->as_bool();
  }
  template <class Number>
  requires std::is_unsigned_v<Number>
  void take(const char* name, Number& into) {
    if (const auto value = number(name, std::numeric_limits<Number>::max())) into = static_cast<Number>(*value);
  }
  void take(const char* name, std::optional<std::uint32_t>& into) {
    if (const auto value = number(name, std::numeric_limits<std::uint32_t>::max())) {
      into = static_cast<std::uint32_t>(*value);
    }
  }
  void take(const char* name, std::chrono::milliseconds& into) {
    if (const auto value = number(name, time_max)) into = std::chrono::milliseconds(*value);
  }
  void take(const char* name, std::optional<std::chrono::milliseconds>& into) {
    if (const auto value = number(name, time_max)) into = std::chrono::milliseconds(*value);
  }
  const json::value* take(const char* name) {
    return find(name, "", [](const json::value&) { return true; });
  }

  // Refuses what was not read.
  void finish() const {
    for (const auto& [name, value] : *object_) {
      const std::string_view key = name;
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        refuse(fmt::format("{}.{}", place_, key), "it is no member of such a definition");
      }
    }
  }
  const std::string& place() const { return place_; }

 private:
  static constexpr std::uint64_t time_max = std::numeric_limits<std::int64_t>::max();

  template <class Is>
  const json::value* find(const char* name, std::string_view type, const Is& is) {
    known_.emplace_back(name);
    const json::value* const value = object_->if_contains(name);
    if (value == nullptr || value->is_null()) return nullptr;
    if (!std::invoke(is, *value)) refuse(fmt::format("{}.{}", place_, name), fmt::format("it is not {}", type));
    return value;
  }
  std::optional<std::uint64_t> number(const char* name, std::uint64_t most) {
    const auto* const value = find(name, "a number", &json::value::is_number);
    if (value == nullptr) return std::nullopt;
    boost::system::error_code no_number;
    const auto read = value->to_number<std::uint64_t>(no_number);
    if (no_number || read > most) {
      refuse(fmt::format("{}.{}", place_, name), fmt::format("it is not a whole number from 0 to {}", most));
    }
    return read;
  }

  const json::object* object_ = nullptr;
  std::string place_;
  std::vector<std::string_view> known_;
};

std::string table_of(const json::value& value, const std::string& place) {
  if (!value.is_object()) refuse(place, "it is not a JSON object");
  std::string table;
  for (const auto& [name, member] : value.as_object()) {
    if (name.size() > 255) refuse(place, "a name has more than 255 bytes");
    if (member.is_string()) {
      append_text(table, name, member.as_string());
    } else if (member.is_int64()) {
      append_number(table, name, member.as_int64());
    } else if (member.is_bool()) {
      append_boolean(table, name, member.as_bool());
    } else if (member.is_null()) {
      append_field(table, {name, 'V', {}});
    } else {
      refuse(fmt::format("{}.{}", place, std::string_view(name)),
             "it is not a text, a whole number, true, false or null; other types go into arguments_hex");
    }
  }
  return table;
}

std::string bytes_of(const std::string& hex, const std::string& place) {
  std::string bytes;
  try {
    boost::algorithm::unhex(hex, std::back_inserter(bytes));
  } catch (const boost::algorithm::hex_decode_error&) {
    refuse(place, "it is not hexadecimal");
  }
  return bytes;
}

// Returns whether a reader of the JSON gets the same table.
bool is_exact(const json::value& arguments, const std::string& hex) {
  try {
    return table_of(arguments, "") == bytes_of(hex, "");
  } catch (const error_exception&) {
    return false;
  }
}

client::exchange_definition read_exchange(member_reader& from) {
  client::exchange_definition exchange;
  from.take("name", exchange.name);
  from.take("type", exchange.type);
  from.take("auto_delete", exchange.auto_delete);
  from.take("internal", exchange.internal);
  from.take("alternate", exchange.alternate);
  return exchange;
}

client::queue_definition read_queue(member_reader& from) {
  client::queue_definition queue;
  from.take("name", queue.name);
  from.take("durability", queue.durability);
  from.take("messages_max", queue.messages_max);
  from.take("bytes_max", queue.bytes_max);
  from.take("overflow", queue.overflow);
  from.take("auto_delete", queue.auto_delete);
  from.take("single_active", queue.single_active);
  from.take("time_to_live_ms", queue.time_to_live);
  from.take("expires_ms", queue.expires);
  from.take("dead_letter_exchange", queue.dead_letter_exchange);
  from.take("dead_letter_key", queue.dead_letter_key);
  from.take("delivery_limit", queue.delivery_limit);
  from.take("priority_max", queue.priority_max);
  from.take("retry_delay_ms", queue.retry_delay);
  from.take("retry_delay_max_ms", queue.retry_delay_max);
  return queue;
}

client::topic_definition read_topic(member_reader& from) {
  client::topic_definition topic;
  from.take("name", topic.name);
  from.take("partitions", topic.partitions);
  from.take("retention_bytes", topic.retention_bytes);
  from.take("retention_ms", topic.retention_age);
  from.take("retention_records", topic.retention_records);
  from.take("overflow", topic.overflow);
  from.take("durability", topic.durability);
  if (const json::value* const groups = from.take("protect")) {
    const std::string place = from.place() + ".protect";
    if (!groups->is_array()) refuse(place, "it is not a list");
    for (const json::value& group : groups->as_array()) {
      if (!group.is_string()) refuse(place, "a group in it is not a text");
      topic.protect.emplace_back(group.as_string());
    }
  }
  return topic;
}

client::binding_definition read_binding(member_reader& from) {
  client::binding_definition binding;
  std::string hex;
  from.take("exchange", binding.exchange);
  from.take("target_kind", binding.target_kind);
  from.take("target", binding.target);
  from.take("routing_key", binding.routing_key);
  from.take("arguments_hex", hex);
  const json::value* const arguments = from.take("arguments");
  if (!hex.empty()) {
    binding.arguments = bytes_of(hex, from.place() + ".arguments_hex");
  } else if (arguments != nullptr) {
    binding.arguments = table_of(*arguments, from.place() + ".arguments");
  }
  return binding;
}

template <class Definition>
void read_list(const json::object& document, const char* list, Definition (*read)(member_reader&),
               std::vector<Definition>& into) {
  const json::value* const all = document.if_contains(list);
  if (all == nullptr) return;
  if (!all->is_array()) refuse(list, "it is not a list");
  for (std::size_t i = 0; i < all->as_array().size(); ++i) {
    member_reader reader(all->as_array()[i], fmt::format("{}[{}]", list, i));
    into.push_back(read(reader));
    reader.finish();
  }
}

}  // namespace

json::object exchange_of(const json::object& row) {
  return picked(row, {"name", "type", "auto_delete", "internal", "alternate"});
}

// A delivery limit of nought is no limit, and a time to live of nought is one.
json::object queue_of(const json::object& row) {
  json::object queue = picked(
      row, {"name", "durability", "messages_max", "bytes_max", "overflow", "auto_delete", "single_active", "expires_ms",
            "dead_letter_exchange", "dead_letter_key", "priority_max", "retry_delay_ms", "retry_delay_max_ms"});
  for (const char* name : {"time_to_live_ms", "delivery_limit"}) {
    if (const json::value* const value = row.if_contains(name)) queue[name] = *value;
  }
  return queue;
}

json::object topic_of(const json::object& row) {
  json::object topic = picked(
      row, {"name", "retention_bytes", "retention_ms", "retention_records", "overflow", "protect", "durability"});
  topic["partitions"] = row.at("partitions").as_array().size();
  return topic;
}

json::object binding_of(const json::object& row) {
  json::object binding = picked(row, {"exchange", "target_kind", "target", "routing_key"});
  const json::value* const arguments = row.if_contains("arguments");
  if (arguments == nullptr) return binding;
  binding["arguments"] = *arguments;
  const std::string hex(row.at("arguments_hex").as_string());
  if (!is_exact(*arguments, hex)) binding["arguments_hex"] = hex;
  return binding;
}

std::string to_text(const json::object& document) {
  std::string text = "{";
  for (const auto& [list, all] : document) {
    text.append(text.size() > 1 ? "," : "").append(fmt::format("\n\"{}\": [", std::string_view(list)));
    for (std::size_t i = 0; i < all.as_array().size(); ++i) {
      text.append(i == 0 ? "\n  " : ",\n  ").append(json::serialize(all.as_array()[i]));
    }
    text.append(all.as_array().empty() ? "]" : "\n]");
  }
  return text + "\n}";
}

client::definitions read_document(std::string_view text) {
  boost::system::error_code malformed;
  const json::value document = json::parse(text, malformed);
  if (malformed) refuse("the document", fmt::format("it is not JSON: {}", malformed.message()));
  if (!document.is_object()) refuse("the document", "it is not a JSON object");
  const json::object& object = document.as_object();
  for (const auto& [name, value] : object) {
    const std::string_view list = name;
    if (std::find(std::begin(lists), std::end(lists), list) == std::end(lists)) {
      refuse(std::string(list), "a document has exchanges, queues, topics and bindings");
    }
  }
  client::definitions definitions;
  read_list(object, "exchanges", read_exchange, definitions.exchanges);
  read_list(object, "queues", read_queue, definitions.queues);
  read_list(object, "topics", read_topic, definitions.topics);
  read_list(object, "bindings", read_binding, definitions.bindings);
  return definitions;
}

}  // namespace tidegate::tool
