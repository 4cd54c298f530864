#include "client/tool/rendering.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/model/deaths.hpp"
#include "broker/model/definitions.hpp"
#include "broker/model/table_json.hpp"
#include "client/tool/moment.hpp"
#include "client/tool/text.hpp"

namespace tidegate::tool {

namespace json = boost::json;

namespace {

void add_text(json::object& to, std::string_view name, std::string_view bytes) {
  if (is_utf8(bytes)) {
    to[name] = bytes;
  } else {
    to[fmt::format("{}_base64", name)] = to_base64(bytes);
  }
}

std::string plain(const json::value& value) {
  if (value.is_null()) return "-";
  if (const auto* text = value.if_string()) return to_line(*text);
  if (const auto* number = value.if_double()) return fmt::format("{}", *number);  // 0.2, which JSON writes as 2E-1
  if (const auto* items = value.if_array()) {
    std::string joined;
    for (const json::value& item : *items) joined += (joined.empty() ? "" : ",") + plain(item);
    return joined;
  }
  return json::serialize(value);
}

void spread_object(const std::string& prefix, const json::object& object, json::object& row) {
  for (const auto& member : object) {
    const std::string name = prefix + std::string(member.key());
    if (const auto* inner = member.value().if_object()) {
      spread_object(name + ".", *inner, row);
    } else {
      row[name] = member.value();
    }
  }
}

const json::array* objects_in(const json::value& value) {
  const auto* items = value.if_array();
  const bool spreads = items != nullptr && !items->empty() && items->front().is_object();
  return spreads ? items : nullptr;
}

// Returns one row for the item, or one for each element of its first array of objects.
std::vector<json::object> rows_of(const json::value& item) {
  json::object row;
  if (!item.is_object()) return {{{"value", item}}};
  spread_object("", item.as_object(), row);
  const auto nested = std::find_if(row.begin(), row.end(), [](const auto& m) { return objects_in(m.value()); });
  if (nested == row.end()) return {row};
  const json::array inner = nested->value().as_array();
  row.stable_erase(nested);
  std::vector<json::object> rows;
  for (const json::value& part : inner) {
    rows.push_back(row);
    spread_object("", part.is_object() ? part.as_object() : json::object{{"value", part}}, rows.back());
  }
  return rows;
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

json::array to_json(const deaths& deaths) {
  json::array list;
  for (const death& one : deaths.list) {
    json::object shown;
    add_text(shown, "queue", one.queue);
    shown["reason"] = name(one.reason);
    shown["count"] = one.count;
    shown["time_ms"] = one.time_ms;
    add_text(shown, "exchange", one.exchange);
    json::array keys;
    for (const std::string& key : one.routing_keys) keys.emplace_back(to_line(key));
    shown["routing_keys"] = std::move(keys);
    if (one.original_expiration) shown["original_expiration"] = *one.original_expiration;
    list.push_back(std::move(shown));
  }
  return list;
}

}  // namespace

void add_message(json::object& to, const message_view& message, std::int64_t timestamp_ms) {
  add_text(to, "routing_key", message.routing_key);
  add_text(to, "exchange", message.exchange);
  add_text(to, "key", message.key);
  json::object headers, binary_headers;
  for (const header& header : message.headers) {
    const std::string name = is_utf8(header.name) ? std::string(header.name) : to_base64(header.name);
    if (is_utf8(header.value)) {
      headers[name] = header.value;
    } else {
      binary_headers[name] = to_base64(header.value);
    }
  }
  to["headers"] = std::move(headers);
  if (!binary_headers.empty()) to["headers_base64"] = std::move(binary_headers);
  if (const auto properties = read_properties(message.properties); properties && !message.properties.empty()) {
    to["properties"] = json::parse(to_json(*properties));
  }
  if (const auto deaths = decode_deaths(message.deaths); deaths && !deaths->list.empty()) {
    to["deaths"] = to_json(*deaths);
  }
  to["timestamp_ms"] = timestamp_ms;
  add_text(to, "body", message.body);
}

std::string message_line(const message_view& message, std::int64_t timestamp_ms) {
  std::string line = fmt::format("{} {}", to_iso_time(timestamp_ms), to_line(message.routing_key));
  if (!message.key.empty()) line += fmt::format(" key={}", to_line(message.key));
  for (const header& header : message.headers) {
    line += fmt::format(" {}={}", to_line(header.name), to_line(header.value));
  }
  if (const auto properties = read_properties(message.properties); properties && !message.properties.empty()) {
    line += " " + to_line(to_json(*properties));
  }
  if (const auto deaths = decode_deaths(message.deaths); deaths && !deaths->list.empty()) {
    const death& last = deaths->list.front();
    line += fmt::format(" {} in {}", name(last.reason), to_line(last.queue));
  }
  return line + " | " + to_line(message.body);
}

bool growing_table::widen(const std::vector<json::object>& rows) {
  const std::size_t before = columns_.size();
  for (const json::object& row : rows) {
    for (const auto& member : row) {
      auto found =
          std::find_if(columns_.begin(), columns_.end(), [&](const column& c) { return c.name == member.key(); });
      if (found == columns_.end()) found = columns_.insert(columns_.end(), {member.key(), member.key().size()});
      found->width = std::max(found->width, plain(member.value()).size());
      found->numbers = found->numbers && (member.value().is_number() || member.value().is_null());
    }
  }
  return columns_.size() > before;
}

void growing_table::add_row(std::string& out, const std::function<std::string(const column&)>& cell) const {
  std::string line;
  for (const column& column : columns_) {
    if (!line.empty()) line += "  ";
    line += column.numbers ? fmt::format("{:>{}}", cell(column), column.width)
                           : fmt::format("{:<{}}", cell(column), column.width);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + "\n";
}

std::string growing_table::add(const json::array& objects) {
  std::vector<json::object> rows;
  for (const json::value& item : objects) {
    for (json::object& row : rows_of(item)) rows.push_back(std::move(row));
  }
  std::string out;
  if (widen(rows)) add_row(out, [](const column& column) { return upper(column.name); });
  for (const json::object& row : rows) {
    add_row(out, [&](const column& column) {
      const json::value* const value = row.if_contains(column.name);
      return value == nullptr ? std::string() : plain(*value);
    });
  }
  return out;
}

std::string table(const json::array& objects) { return growing_table().add(objects); }

std::string fields(const json::object& object) {
  json::object row;
  spread_object("", object, row);
  std::size_t width = 0;
  for (const auto& member : row) width = std::max(width, member.key().size());
  std::string out;
  for (const auto& member : row) {
    out += fmt::format("{:<{}}  {}\n", std::string_view(member.key()), width,
                       member.value().is_null() ? "unknown" : plain(member.value()));
  }
  return out;
}

}  // namespace tidegate::tool
