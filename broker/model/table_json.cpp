#include "broker/model/table_json.hpp"

#include <fmt/format.h>

#include <cmath>

#include "broker/base/bytes.hpp"
#include "broker/model/definitions.hpp"
#include "broker/model/field_table.hpp"

namespace tidegate {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out.append(fmt::format("\\u{:04x}", static_cast<unsigned char>(c)));
    } else {
      out.push_back(c);
    }
  }
  return out + '"';
}

std::string text_value(std::string_view text) {
  return is_utf8(text) ? in_quotes(text) : fmt::format(R"({{"base64":"{}"}})", to_base64(text));
}

// Members of one object, written one after the other.
class members {
 public:
  void add(std::string_view name, std::string_view value) {
    text_.append(text_.size() > 1 ? "," : "").append(is_utf8(name) ? in_quotes(name) : in_quotes(to_base64(name)));
    text_.append(":").append(value);
  }
  std::string finish() && { return std::move(text_) + "}"; }

 private:
  std::string text_ = "{";
};

std::string value_of(const table_field& field);

std::string array_of(std::string_view values) {
  std::string out = "[";
  // An array's elements are fields without names: each is read as a field with an empty one.
  while (!values.empty()) {
    const std::string named = std::string(1, '\0').append(values);
    table_reader reader(named);
    table_field element;
    if (!reader.next(element)) break;
    out.append(out.size() > 1 ? "," : "").append(value_of(element));
    values.remove_prefix(static_cast<std::size_t>(element.value.data() + element.value.size() - named.data()) - 1);
  }
  return out + "]";
}

std::string value_of(const table_field& field) {
  switch (field.type) {
    case 'S':
    case 'x': return text_value(field.value);
    case 't': return field.value.front() != 0 ? "true" : "false";
    case 'F': return to_json(field.value);
    case 'A': return array_of(field.value);
    case 'T': return fmt::format(R"({{"timestamp":{}}})", *field.number());
    case 'V': return "null";
    default: break;
  }
  if (const auto whole = field.number()) return fmt::to_string(*whole);
  const auto real = field.real();
  return real && std::isfinite(*real) ? fmt::to_string(*real) : "null";
}

}  // namespace

std::string to_json(std::string_view table) {
  members out;
  table_reader reader(table);
  for (table_field field; reader.next(field);) out.add(field.name, value_of(field));
  return std::move(out).finish();
}

std::string to_json(const properties& properties) {
  members out;
  const auto text = [&](std::string_view name, const properties::text& value) {
    if (value) out.add(name, text_value(*value));
  };
  text("content_type", properties.content_type);
  text("content_encoding", properties.content_encoding);
  if (properties.headers) out.add("headers", to_json(*properties.headers));
  if (properties.delivery_mode) out.add("delivery_mode", fmt::to_string(*properties.delivery_mode));
  if (properties.priority) out.add("priority", fmt::to_string(*properties.priority));
  text("correlation_id", properties.correlation_id);
  text("reply_to", properties.reply_to);
  text("expiration", properties.expiration);
  text("message_id", properties.message_id);
  if (properties.timestamp) out.add("timestamp", fmt::to_string(*properties.timestamp));
  text("type", properties.type);
  text("user_id", properties.user_id);
  text("app_id", properties.app_id);
  return std::move(out).finish();
}

std::string to_base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (j < given ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) text += j <= given ? digits[(group >> (18 - 6 * j)) & 63] : '=';
  }
  return text;
}

}  // namespace tidegate
