#include "broker/frontends/native/listing.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "broker/frontends/native/pace_status.hpp"

namespace tidegate::native {
namespace {

namespace json = boost::json;

json::array exchanges(const core::broker& broker) {
  json::array out;
  for (const auto& [name, exchange] : broker.routes().exchanges()) {
    out.push_back({{"name", name}, {"type", tidegate::name(exchange.type)}});
  }
  return out;
}

json::array bindings(const core::broker& broker) {
  json::array out;
  for (const auto& binding : broker.routes().bindings()) {
    out.push_back({{"exchange", binding.exchange},
                   {"target_kind", tidegate::name(binding.kind)},
                   {"target", binding.target},
                   {"routing_key", binding.routing_key}});
  }
  return out;
}

json::array queues(const core::broker& broker) {
  json::array out;
  for (const auto& row : broker.list_queues()) {
    const queue_definition& definition = *row.definition;
    out.push_back({{"name", definition.name},
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
                   {"durability", to_text(definition.durability)}});
  }
  return out;
}

json::array topics(const core::broker& broker) {
  json::array out;
  for (const auto& row : broker.list_topics()) {
    json::array partitions;
    for (const auto& partition : row.partitions) {
      partitions.push_back({{"partition", partitions.size()},
                            {"log_start", partition.log_start},
                            {"high_watermark", partition.high_watermark},
                            {"bytes", partition.bytes},
                            {"dropped", partition.drops.records},
                            {"dropped_unread", partition.drops.unread}});
    }
    out.push_back({{"name", row.definition->name},
                   {"partitions", std::move(partitions)},
                   {"retention_bytes", row.definition->retention_bytes},
                   {"retention_ms", row.definition->retention_age.count()},
                   {"retention_records", row.definition->retention_records},
                   {"overflow", tidegate::name(row.definition->overflow)},
                   {"protect", json::value_from(row.definition->protect)},
                   {"durability", to_text(row.definition->durability)},
                   {"uuid", row.definition->uuid}});
  }
  return out;
}

json::array groups(const core::broker& broker) {
  json::array out;
  for (const auto& row : broker.list_groups()) {
    out.push_back({{"group", row.group},
                   {"topic", row.topic},
                   {"partition", row.partition},
                   {"offset", row.offset},
                   {"lag", row.lag}});
  }
  return out;
}

json::object loss(const core::loss_row& row) {
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

result<json::array> losses(const core::broker& broker) {
  const auto rows = broker.list_losses();
  if (!rows) return rows.error();
  json::array out;
  for (const auto& row : *rows) out.push_back(loss(row));
  return out;
}

json::array connections(const front_end& front_end) {
  json::array out;
  for (const session* const session : front_end.sessions()) {
    const role* const role = session->current_role();
    out.push_back({{"id", static_cast<std::uint64_t>(session->id())},
                   {"name", role == nullptr ? std::string() : role->name()},
                   {"peer", session->peer()},
                   {"kind", role == nullptr ? std::string_view("new") : role->kind()}});
  }
  return out;
}

// "topic: name" for names in `protect` that no group carries; the first few.
json::array protected_without_group(const core::broker& broker) {
  constexpr std::size_t names_max = 20;
  json::array out;
  for (const auto& row : broker.list_topics()) {
    if (row.definition->protect.empty()) continue;
    for (const std::string& group : broker.unmatched_protect(*broker.find_topic(row.definition->name))) {
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
  core::broker& broker = front_end.broker();
  const auto& pages = broker.storage().pages();
  const auto& counts = broker.counts();
  const auto& memory = broker.storage().memory();
  json::object out{{"server", front_end.settings().server},
                   {"gateway", front_end.settings().gateway},
                   {"incarnation", broker.storage().incarnation()},
                   {"state", broker.storage().is_full() ? "full: publishes are refused" : "ready"},
                   {"clock", broker.story().is_wall_trusted() ? "trusted" : "not trusted: timestamps are estimates"},
                   {"clock_corrections", counts.clock_corrections},
                   {"store_age_ms", broker.story().now().lifetime.count()},
                   {"connections", front_end.sessions().size()},
                   {"published", counts.published},
                   {"duplicates", counts.duplicates},
                   {"unroutable", counts.unroutable},
                   {"refused_full", counts.refused_full},
                   {"refused_overflow", counts.refused_overflow},
                   {"delivered", counts.delivered},
                   {"acknowledged", counts.acknowledged},
                   {"bytes_written", counts.bytes_written},
                   {"store_bytes_used", pages.used_pages * pages.page_bytes},
                   {"reader_pid", broker.storage().stuck_reader() ? broker.storage().stuck_reader()->pid : 0},
                   {"store_bytes_max", pages.map_pages * pages.page_bytes},
                   {"journal_bytes", counts.journal_bytes},
                   {"memory_bytes_used", memory.bytes},
                   {"memory_bytes_max", memory.bytes_max},
                   {"memory_dropped", memory.dropped},
                   {"protected_without_group", protected_without_group(broker)}};
  add_pace(out, front_end.broker());
  return out;
}

}  // namespace

result<std::string> listing(std::string_view kind, front_end& front_end) {
  const core::broker& broker = front_end.broker();
  json::value out;
  if (kind == "exchanges") {
    out = exchanges(broker);
  } else if (kind == "bindings") {
    out = bindings(broker);
  } else if (kind == "queues") {
    out = queues(broker);
  } else if (kind == "topics") {
    out = topics(broker);
  } else if (kind == "groups") {
    out = groups(broker);
  } else if (kind == "losses") {
    auto rows = losses(broker);
    if (!rows) return rows.error();
    out = std::move(*rows);
  } else if (kind == "connections") {
    out = connections(front_end);
  } else if (kind == "status") {
    out = status(front_end);
  } else {
    return error{
        errc::invalid,
        fmt::format("'{}' is not exchanges, bindings, queues, topics, groups, losses, connections or status", kind),
        "kind"};
  }
  std::string text = json::serialize(out);
  if (text.size() <= limits::frame_bytes - limits::kib) return text;
  return error{errc::too_large, fmt::format("the list of {} takes {} bytes, more than a frame of {}", kind, text.size(),
                                            limits::frame_bytes)};
}

}  // namespace tidegate::native
