#include "broker/model/definitions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/limits.hpp"
#include "broker/base/protobuf.hpp"

namespace tidegate {
namespace {

// Reads a row's fields by number, each as the kind that it has to be.
class definition_reader {
 public:
  explicit definition_reader(std::string_view row) : fields_(row) {}

  // Moves to the next field. Throws if the row does not decode.
  bool next() {
    if (fields_.next(field_)) return true;
    if (fields_.failed()) throw store_damaged("the store is damaged: a definition does not decode");
    return false;
  }
  std::uint32_t number() const { return field_.number; }
  std::string text() const { return std::string(field_.text); }
  std::uint64_t value() const { return field_.value; }
  std::string_view bytes() const { return field_.text; }
  // Call for a number that is not known.
  [[noreturn]] void refuse() const {
    throw storage_failure(
        fmt::format("a definition in the store has a field {} that this version does not know: use "
                    "the version that wrote it",
                    field_.number));
  }

 private:
  protobuf::field_reader fields_;
  protobuf::field field_;
};

template <class Value>
Value known(const result<Value>& parsed) {
  if (!parsed) throw store_damaged("the store is damaged: " + parsed.error().text);
  return *parsed;
}

// The number of an enumerator in a row is one more than its place in the enumeration.
template <class Enum>
std::uint64_t row_number(Enum value) {
  return static_cast<std::uint64_t>(value) + 1;
}
template <class Enum>
Enum numbered(std::uint64_t number, Enum last) {
  if (number >= 1 && number <= row_number(last)) return static_cast<Enum>(number - 1);
  throw storage_failure(
      fmt::format("a definition in the store is of a kind {} that this version does not know: use the version that "
                  "wrote it",
                  number));
}

// "commit" is the default and is not written.
void append_durability(std::string& row, std::uint32_t field, durability durability) {
  if (durability != tidegate::durability{}) protobuf::append_text(row, field, to_text(durability));
}

template <class Definition>
Definition named(Definition definition) {
  if (definition.name.empty()) throw store_damaged("the store is damaged: a definition lacks its name");
  return definition;
}

overflow overflow_of(std::uint64_t value, overflow last) { return numbered(value + 1, last); }

std::chrono::milliseconds ms_of(std::uint64_t value) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(value));
}

std::string encode_streams(const std::vector<stream_id>& streams) {
  std::string packed;
  for (const stream_id stream : streams) append_varint(packed, static_cast<std::uint32_t>(stream));
  return packed;
}

std::vector<stream_id> decode_streams(std::string_view packed) {
  std::vector<stream_id> streams;
  byte_reader reader(packed);
  while (!reader.at_end()) streams.push_back(static_cast<stream_id>(reader.varint()));
  if (reader.failed()) throw store_damaged("the store is damaged: a definition's streams do not decode");
  return streams;
}

// The first enumerators up to `last` whose name is `text`.
template <class Enum>
std::optional<Enum> named_as(std::string_view text, Enum last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (text == name(static_cast<Enum>(i))) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(exchange_type type) {
  switch (type) {
    case exchange_type::direct: return "direct";
    case exchange_type::fanout: return "fanout";
    case exchange_type::topic: return "topic";
    case exchange_type::headers: return "headers";
  }
  return "";
}

result<exchange_type> parse_exchange_type(std::string_view text) {
  if (const auto type = named_as(text, exchange_type::headers)) return *type;
  return error{errc::invalid, fmt::format("exchange type '{}' is not direct, fanout, topic or headers", text), "type"};
}

std::string_view name(target_kind kind) {
  switch (kind) {
    case target_kind::queue: return "queue";
    case target_kind::topic: return "topic";
    case target_kind::exchange: return "exchange";
  }
  return "";
}

result<target_kind> parse_target_kind(std::string_view text) {
  if (const auto kind = named_as(text, target_kind::exchange)) return *kind;
  return error{errc::invalid, fmt::format("binding target '{}' is not queue, topic or exchange", text), "target_kind"};
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

std::string_view name(overflow overflow) {
  switch (overflow) {
    case overflow::drop_oldest: return "drop-oldest";
    case overflow::reject: return "reject";
    case overflow::reject_dead_letter: return "reject-dead-letter";
  }
  return "";
}

result<overflow> parse_overflow(std::string_view text) {
  if (const auto known = named_as(text, overflow::reject)) return *known;
  return error{errc::invalid, fmt::format("overflow '{}' is not drop-oldest or reject", text), "overflow"};
}

result<overflow> parse_queue_overflow(std::string_view text) {
  if (const auto known = named_as(text, overflow::reject_dead_letter)) return *known;
  return error{errc::invalid, fmt::format("overflow '{}' is not drop-oldest, reject or reject-dead-letter", text),
               "overflow"};
}

std::string encode(const exchange_definition& exchange) {
  std::string row;
  protobuf::append_text(row, 1, exchange.name);
  protobuf::append_number(row, 2, row_number(exchange.type));
  protobuf::append_number(row, 3, exchange.auto_delete);
  protobuf::append_number(row, 4, exchange.internal);
  if (exchange.alternate) protobuf::append_element(row, 5, *exchange.alternate);
  protobuf::append_text(row, 14, exchange.arguments);
  return row;
}

std::string encode(const queue_definition& queue) {
  std::string row;
  protobuf::append_text(row, 1, queue.name);
  protobuf::append_number(row, 2, static_cast<std::uint32_t>(queue.stream));
  append_durability(row, 3, queue.durability);
  protobuf::append_number(row, 4, queue.messages_max);
  protobuf::append_number(row, 5, queue.bytes_max);
  protobuf::append_number(row, 6, static_cast<std::uint64_t>(queue.overflow));
  protobuf::append_number(row, 7, queue.auto_delete);
  if (queue.time_to_live) {
    protobuf::append_number(row, 8, static_cast<std::uint64_t>(queue.time_to_live->count()) + 1);
  }
  protobuf::append_number(row, 9, static_cast<std::uint64_t>(queue.expires.count()));
  if (queue.dead_letter_exchange) protobuf::append_element(row, 10, *queue.dead_letter_exchange);
  if (queue.dead_letter_key) protobuf::append_element(row, 11, *queue.dead_letter_key);
  if (queue.delivery_limit) protobuf::append_number(row, 12, std::uint64_t{*queue.delivery_limit} + 1);
  protobuf::append_number(row, 13, queue.priority_max);
  protobuf::append_text(row, 14, queue.arguments);
  protobuf::append_number(row, 16, static_cast<std::uint64_t>(queue.retry_delay.count()));
  protobuf::append_number(row, 17, static_cast<std::uint64_t>(queue.retry_delay_max.count()));
  protobuf::append_number(row, 18, queue.single_active);
  protobuf::append_text(row, 19, encode_streams(queue.levels));
  return row;
}

std::string encode(const topic_definition& topic) {
  std::string row;
  protobuf::append_text(row, 1, topic.name);
  protobuf::append_text(row, 2, topic.uuid);
  protobuf::append_number(row, 3, topic.retention_bytes);
  protobuf::append_number(row, 4, static_cast<std::uint64_t>(topic.retention_age.count()));
  protobuf::append_number(row, 5, topic.retention_records);
  protobuf::append_number(row, 6, static_cast<std::uint64_t>(topic.overflow));
  for (const std::string& group : topic.protect) protobuf::append_element(row, 7, group);
  append_durability(row, 8, topic.durability);
  protobuf::append_text(row, 9, encode_streams(topic.partitions));
  return row;
}

std::string encode(const binding_definition& binding) {
  std::string row;
  protobuf::append_text(row, 1, binding.exchange);
  protobuf::append_number(row, 2, row_number(binding.kind));
  protobuf::append_text(row, 3, binding.target);
  protobuf::append_text(row, 4, binding.routing_key);
  protobuf::append_text(row, 14, binding.arguments);
  return row;
}

exchange_definition decode_exchange(std::string_view row) {
  exchange_definition exchange;
  for (definition_reader reader(row); reader.next();) {
    switch (reader.number()) {
      case 1: exchange.name = reader.text(); break;
      case 2: exchange.type = numbered(reader.value(), exchange_type::headers); break;
      case 3: exchange.auto_delete = reader.value() != 0; break;
      case 4: exchange.internal = reader.value() != 0; break;
      case 5: exchange.alternate = reader.text(); break;
      case 14: exchange.arguments = reader.text(); break;
      default: reader.refuse();
    }
  }
  return named(std::move(exchange));
}

queue_definition decode_queue(std::string_view row) {
  queue_definition queue;
  for (definition_reader reader(row); reader.next();) {
    switch (reader.number()) {
      case 1: queue.name = reader.text(); break;
      case 2: queue.stream = static_cast<stream_id>(reader.value()); break;
      case 3: queue.durability = known(parse_durability(reader.text())); break;
      case 4: queue.messages_max = reader.value(); break;
      case 5: queue.bytes_max = reader.value(); break;
      case 6: queue.overflow = overflow_of(reader.value(), overflow::reject_dead_letter); break;
      case 7: queue.auto_delete = reader.value() != 0; break;
      case 8: queue.time_to_live = ms_of(reader.value() - 1); break;
      case 9: queue.expires = ms_of(reader.value()); break;
      case 10: queue.dead_letter_exchange = reader.text(); break;
      case 11: queue.dead_letter_key = reader.text(); break;
      case 12: queue.delivery_limit = static_cast<std::uint32_t>(reader.value() - 1); break;
      case 13: queue.priority_max = static_cast<std::uint8_t>(reader.value()); break;
      case 14: queue.arguments = reader.text(); break;
      case 16: queue.retry_delay = ms_of(reader.value()); break;
      case 17: queue.retry_delay_max = ms_of(reader.value()); break;
      case 18: queue.single_active = reader.value() != 0; break;
      case 19: queue.levels = decode_streams(reader.bytes()); break;
      default: reader.refuse();
    }
  }
  return named(std::move(queue));
}

topic_definition decode_topic(std::string_view row) {
  topic_definition topic;
  for (definition_reader reader(row); reader.next();) {
    switch (reader.number()) {
      case 1: topic.name = reader.text(); break;
      case 2: topic.uuid = reader.text(); break;
      case 3: topic.retention_bytes = reader.value(); break;
      case 4: topic.retention_age = ms_of(reader.value()); break;
      case 5: topic.retention_records = reader.value(); break;
      case 6: topic.overflow = overflow_of(reader.value(), overflow::reject); break;
      case 7: topic.protect.push_back(reader.text()); break;
      case 8: topic.durability = known(parse_durability(reader.text())); break;
      case 9: topic.partitions = decode_streams(reader.bytes()); break;
      default: reader.refuse();
    }
  }
  return named(std::move(topic));
}

binding_definition decode_binding(std::string_view row) {
  binding_definition binding;
  for (definition_reader reader(row); reader.next();) {
    switch (reader.number()) {
      case 1: binding.exchange = reader.text(); break;
      case 2: binding.kind = numbered(reader.value(), target_kind::exchange); break;
      case 3: binding.target = reader.text(); break;
      case 4: binding.routing_key = reader.text(); break;
      case 14: binding.arguments = reader.text(); break;
      default: reader.refuse();
    }
  }
  return binding;
}

}  // namespace tidegate
