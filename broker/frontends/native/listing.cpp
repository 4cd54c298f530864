#include "broker/frontends/native/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "broker/frontends/native/pace_status.hpp"
#include "broker/model/table_json.hpp"

namespace tidegate::native {
namespace {

namespace json = boost::json;
using core::api::inspecting;

// The fewest bytes of JSON that a row takes.
constexpr std::size_t queue_row_bytes_min = 150;
constexpr std::size_t topic_row_bytes_min = 150;
constexpr std::size_t group_row_bytes_min = 50;
constexpr std::size_t loss_row_bytes_min = 150;

// How many rows to ask of core: one more than fit a page, so that the page knows whether it is the last.
constexpr std::size_t rows_asked(std::size_t bytes_max, std::size_t row_bytes_min) {
  return bytes_max / row_bytes_min + 2;
}

std::string in_hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

error no_place() { return {errc::invalid, "'after' is no place of this list: pages give it as their next", "after"}; }

// Places of several parts are joined by a zero byte; names hold none.
template <std::size_t Count>
std::optional<std::array<std::string_view, Count>> parts_of(std::string_view place) {
  std::array<std::string_view, Count> parts;
  for (std::size_t i = 0; i + 1 < Count; ++i) {
    const std::size_t end = place.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    parts[i] = place.substr(0, end);
    place.remove_prefix(end + 1);
  }
  parts[Count - 1] = place;
  return parts;
}

// Empty = 0, which is before all numbers.
std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_read = text.empty() || (failure == std::errc() && end == text.data() + text.size());
  return is_read ? std::optional(number) : std::nullopt;
}

// Returns the rows that fit. `show` makes JSON of a row, `place` returns its place.
template <class Row, class Show, class Place>
listing_page fill(Row row, const Row end, std::size_t bytes_max, const Show& show, const Place& place) {
  listing_page page{"[", {}};
  for (Row last = row; row != end; last = row++) {
    const std::string text = json::serialize(show(*row));
    const bool is_first = page.json.size() == 1;
    if (!is_first && page.json.size() + text.size() + 2 > bytes_max) {
      page.next = place(*last);
      break;
    }
    page.json.append(is_first ? "" : ",").append(text);
  }
  page.json += ']';
  return page;
}

// The same for `rows_max` rows of core: if all fit, there may be more.
template <class Row, class Show, class Place>
listing_page fill(const std::vector<Row>& rows, std::size_t rows_max, std::size_t bytes_max, const Show& show,
                  const Place& place) {
  listing_page page = fill(rows.begin(), rows.end(), bytes_max, show, place);
  if (page.next.empty() && rows.size() >= rows_max) page.next = place(rows.back());
  return page;
}

result<listing_page> exchanges(const inspecting& core, std::string_view after, std::size_t bytes_max) {
  const auto show = [](const auto& row) {
    const exchange_definition& exchange = row.second.definition;
    json::object shown{{"name", exchange.name},
                       {"type", tidegate::name(exchange.type)},
                       {"auto_delete", exchange.auto_delete},
                       {"internal", exchange.internal},
                       {"alternate", nullptr},
                       {"bindings", row.second.bound.size()}};
    if (exchange.alternate) shown["alternate"] = *exchange.alternate;
    if (!exchange.arguments.empty()) shown["arguments"] = json::parse(to_json(exchange.arguments));
    return shown;
  };
  const auto& all = core.routes().all();
  return fill(all.upper_bound(after), all.end(), bytes_max, show, [](const auto& row) { return row.first; });
}

result<listing_page> bindings(const inspecting& core, std::string_view after, std::size_t bytes_max) {
  const auto show = [](const binding_definition& binding) {
    json::object shown{{"exchange", binding.exchange},
                       {"target_kind", tidegate::name(binding.kind)},
                       {"target", binding.target},
                       {"routing_key", binding.routing_key}};
    if (!binding.arguments.empty()) {
      shown["arguments"] = json::parse(to_json(binding.arguments));
      shown["arguments_hex"] = in_hex(binding.arguments);
    }
    return shown;
  };
  const auto place_of = [](const binding_definition& binding) { return encode(binding); };
  const auto& all = core.routes().bindings();
  if (after.empty()) return fill(all.begin(), all.end(), bytes_max, show, place_of);
  try {
    return fill(all.upper_bound(decode_binding(after)), all.end(), bytes_max, show, place_of);
  } catch (const storage_failure&) {
    return no_place();
  }
}

// Adds what few queues have, if the queue has it: a list may be long.
void add_rules(json::object& row, const queue_definition& definition) {
  const auto add_ms = [&](const char* name, milliseconds value) {
    if (value.count() != 0) row[name] = value.count();
  };
  if (definition.time_to_live) row["time_to_live_ms"] = definition.time_to_live->count();
  add_ms("expires_ms", definition.expires);
  if (definition.dead_letter_exchange) row["dead_letter_exchange"] = *definition.dead_letter_exchange;
  if (definition.dead_letter_key) row["dead_letter_key"] = *definition.dead_letter_key;
  if (definition.delivery_limit) row["delivery_limit"] = *definition.delivery_limit;
  if (definition.priority_max != 0) row["priority_max"] = definition.priority_max;
  add_ms("retry_delay_ms", definition.retry_delay);
  add_ms("retry_delay_max_ms", definition.retry_delay_max);
  if (!definition.arguments.empty()) row["arguments"] = json::parse(to_json(definition.arguments));
}

json::object show_queue(const core::api::queue_row& row) {
  const queue_definition& definition = *row.definition;
  json::object shown{{"name", definition.name},
                     {"ready", row.ready},
                     {"ready_bytes", row.ready_bytes},
                     {"unsettled", row.unsettled},
                     {"consumers", row.consumers},
                     {"bytes", row.bytes},
                     {"discarded", row.discarded},
                     {"dropped", row.drops.records},
                     {"messages_max", definition.messages_max},
                     {"bytes_max", definition.bytes_max},
                     {"overflow", tidegate::name(definition.overflow)},
                     {"durability", to_text(definition.durability)},
                     {"auto_delete", definition.auto_delete},
                     {"single_active", definition.single_active},
                     {"exclusive", row.is_exclusive}};
  add_rules(shown, definition);
  return shown;
}

result<listing_page> queues(const inspecting& core, std::string_view after, std::size_t bytes_max) {
  const std::size_t rows_max = rows_asked(bytes_max, queue_row_bytes_min);
  return fill(core.list_queues(after, rows_max), rows_max, bytes_max, show_queue,
              [](const core::api::queue_row& row) { return row.definition->name; });
}

json::object show_topic(const core::api::topic_row& row) {
  json::array partitions;
  for (const auto& partition : row.partitions) {
    partitions.push_back({{"partition", partitions.size()},
                          {"log_start", partition.log_start},
                          {"high_watermark", partition.high_watermark},
                          {"bytes", partition.bytes},
                          {"dropped", partition.drops.records},
                          {"dropped_unread", partition.drops.unread}});
  }
  return {{"name", row.definition->name},
          {"partitions", std::move(partitions)},
          {"retention_bytes", row.definition->retention_bytes},
          {"retention_ms", row.definition->retention_age.count()},
          {"retention_records", row.definition->retention_records},
          {"overflow", tidegate::name(row.definition->overflow)},
          {"protect", json::value_from(row.definition->protect)},
          {"durability", to_text(row.definition->durability)},
          {"uuid", row.definition->uuid}};
}

result<listing_page> topics(const inspecting& core, std::string_view after, std::size_t bytes_max) {
  const std::size_t rows_max = rows_asked(bytes_max, topic_row_bytes_min);
  return fill(core.list_topics(after, rows_max), rows_max, bytes_max, show_topic,
              [](const core::api::topic_row& row) { return row.definition->name; });
}

result<listing_page> groups(const inspecting& core, std::string_view after, std::size_t bytes_max) {
  const auto show = [](const core::api::group_row& row) {
    return json::object{{"group", row.group},
                        {"topic", row.topic},
                        {"partition", row.partition},
                        {"offset", row.offset},
                        {"lag", row.lag}};
  };
  core::api::group_place last;
  if (!after.empty()) {
    const auto parts = parts_of<3>(after);
    const auto partition = parts ? number_of((*parts)[1]) : std::nullopt;
    if (!partition || *partition >= limits::partitions_per_topic) return no_place();
    last = {std::string((*parts)[0]), static_cast<std::uint32_t>(*partition), std::string((*parts)[2])};
  }
  const std::size_t rows_max = rows_asked(bytes_max, group_row_bytes_min);
  return fill(core.list_groups(last, rows_max), rows_max, bytes_max, show, [](const core::api::group_row& row) {
    return fmt::format("{}{}{}{}{}", row.topic, '\0', row.partition, '\0', row.group);
  });
}

json::object show_loss(const core::api::loss_row& row) {
  const store::loss_record& record = row.record;
  return {{"number", row.number},
          {"reason", store::name(record.reason)},
          {"kind", row.kind},
          {"name", row.name},
          {"partition", row.partition},
          {"first", record.first},
          {"end", record.end},
          {"records", record.records},
          {"unread", record.unread},
          {"bytes", record.bytes},
          {"since_ms", record.since.count()},
          {"until_ms", record.until.count()},
          {"time_trusted", record.wall_trusted}};
}

result<listing_page> losses(const inspecting& core, std::string_view after, std::size_t bytes_max) {
  const auto last = number_of(after);
  if (!last) return no_place();
  const std::size_t rows_max = rows_asked(bytes_max, loss_row_bytes_min);
  const auto rows = core.list_losses(*last, rows_max);
  if (!rows) return rows.error();
  return fill(*rows, rows_max, bytes_max, show_loss,
              [](const core::api::loss_row& row) { return std::to_string(row.number); });
}

result<listing_page> connections(const front_end& front_end, std::string_view after, std::size_t bytes_max) {
  const auto show = [](const auto& row) {
    const role* const role = row.second->current_role();
    return json::object{{"id", static_cast<std::uint64_t>(row.first)},
                        {"name", role == nullptr ? std::string() : role->name()},
                        {"peer", row.second->peer()},
                        {"kind", role == nullptr ? std::string_view("new") : role->kind()}};
  };
  const auto last = number_of(after);
  if (!last) return no_place();
  const auto& all = front_end.sessions();
  return fill(all.upper_bound(core::session_id{*last}), all.end(), bytes_max, show,
              [](const auto& row) { return std::to_string(static_cast<std::uint64_t>(row.first)); });
}

// Returns "topic: name" for names in `protect` that no group has; the first few.
json::array protected_without_group(const inspecting& core) {
  constexpr std::size_t names_max = 20;
  json::array out;
  for (const auto& row : core.list_topics()) {
    if (row.definition->protect.empty()) continue;
    for (const std::string& group : core.unmatched_protect(*core.find_topic(row.definition->name))) {
      if (out.size() == names_max) {
        out.emplace_back("...");
        return out;
      }
      out.emplace_back(fmt::format("{}: {}", row.definition->name, group));
    }
  }
  return out;
}

json::object status(front_end& front_end) {
  const inspecting& core = front_end.core().inspecting;
  const core::api::status status = core.status();
  const auto& [store, messages, commits, flash, is_time_trusted] = status;
  json::object out{{"server", front_end.settings().server},
                   {"gateway", front_end.settings().gateway},
                   {"incarnation", store.incarnation},
                   {"state", store.is_full ? "full: publishes are refused" : "ready"},
                   {"clock", is_time_trusted ? "trusted" : "not trusted: timestamps are estimates"},
                   {"dead_lettered", messages.dead_lettered},
                   {"clock_corrections", messages.clock_corrections},
                   {"store_age_ms", store.age.count()},
                   {"connections", front_end.sessions().size()},
                   {"published", messages.published},
                   {"duplicates", messages.duplicates},
                   {"unroutable", messages.unroutable},
                   {"refused_full", messages.refused_full},
                   {"refused_overflow", messages.refused_overflow},
                   {"delivered", messages.delivered},
                   {"acknowledged", messages.acknowledged},
                   {"replies", messages.replies},
                   {"replies_dropped", messages.replies_dropped},
                   {"bytes_written", commits.bytes_written},
                   {"store_bytes_used", store.bytes_used},
                   {"reader_pid", store.stuck_reader},
                   {"store_bytes_max", store.bytes_max},
                   {"journal_bytes", store.journal_bytes},
                   {"memory_bytes_used", store.memory_bytes_used},
                   {"memory_bytes_max", store.memory_bytes_max},
                   {"memory_dropped", store.memory_dropped},
                   {"protected_without_group", protected_without_group(core)}};
  add_pace(out, status);
  return out;
}

}  // namespace

result<listing_page> listing(const listing_request& request, front_end& front_end) {
  const auto& [kind, after, wanted] = request;
  const std::size_t bytes_max = wanted == 0 ? limits::listing_bytes_max : std::min(wanted, limits::listing_bytes_max);
  const inspecting& core = front_end.core().inspecting;
  if (kind == "exchanges") return exchanges(core, after, bytes_max);
  if (kind == "bindings") return bindings(core, after, bytes_max);
  if (kind == "queues") return queues(core, after, bytes_max);
  if (kind == "topics") return topics(core, after, bytes_max);
  if (kind == "groups") return groups(core, after, bytes_max);
  if (kind == "losses") return losses(core, after, bytes_max);
  if (kind == "connections") return connections(front_end, after, bytes_max);
  if (kind == "status") return listing_page{json::serialize(status(front_end)), {}};
  return error{
      errc::invalid,
      fmt::format("'{}' is not exchanges, bindings, queues, topics, groups, losses, connections or status", kind),
      "kind"};
}

}  // namespace tidegate::native
