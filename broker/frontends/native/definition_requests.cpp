#include "broker/frontends/native/definition_requests.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tidegate::native {
namespace {

std::optional<std::string> if_set(const tg_bytes& text) {
  return text.data == nullptr ? std::nullopt : std::optional(std::string(view_of(text)));
}
template <class Value>
std::optional<Value> if_set(bool is_set, Value value) {
  return is_set ? std::optional(value) : std::nullopt;
}
// A number that no time reaches becomes one that the catalog refuses.
std::optional<milliseconds> ms_if_set(bool is_set, std::uint64_t ms) {
  constexpr std::uint64_t beyond = 1ull << 62;
  return if_set(is_set, milliseconds(static_cast<std::int64_t>(std::min(ms, beyond))));
}

// Absent = unchanged, or the default.
result<std::optional<durability>> durability_of(const tg_bytes& text) {
  if (text.size == 0) return std::optional<durability>();
  const auto parsed = parse_durability(view_of(text));
  if (!parsed) return parsed.error();
  return std::optional(*parsed);
}

// Absent = unchanged, or the default.
result<std::optional<overflow>> overflow_of(const tg_bytes& text, result<overflow> (*parse)(std::string_view)) {
  if (text.size == 0) return std::optional<overflow>();
  const auto parsed = parse(view_of(text));
  if (!parsed) return parsed.error();
  return std::optional(*parsed);
}

// Reads one more than a topic may protect: enough to be refused.
std::vector<std::string> groups_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() <= limits::protected_groups) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

result<core::api::queue_request> request_of(const tg_DeclareQueue& declare) {
  const auto durability = durability_of(declare.durability);
  if (!durability) return durability.error();
  const auto overflow = overflow_of(declare.overflow, parse_queue_overflow);
  if (!overflow) return overflow.error();
  core::api::queue_request wanted{std::string(view_of(declare.name)), *durability, declare.messages_max,
                                  declare.bytes_max, *overflow};
  wanted.auto_delete = if_set(declare.has_auto_delete, declare.auto_delete);
  wanted.single_active = if_set(declare.has_single_active, declare.single_active);
  wanted.exclusive = declare.exclusive;
  wanted.arguments = if_set(declare.arguments);
  wanted.time_to_live = ms_if_set(declare.has_time_to_live_ms, declare.time_to_live_ms);
  wanted.expires = ms_if_set(declare.has_expires_ms, declare.expires_ms);
  wanted.dead_letter_exchange = if_set(declare.dead_letter_exchange);
  wanted.dead_letter_key = if_set(declare.dead_letter_key);
  wanted.delivery_limit = if_set(declare.has_delivery_limit, declare.delivery_limit);
  wanted.priority_max = if_set(declare.has_priority_max, declare.priority_max);
  wanted.retry_delay = ms_if_set(declare.has_retry_delay_ms, declare.retry_delay_ms);
  wanted.retry_delay_max = ms_if_set(declare.has_retry_delay_max_ms, declare.retry_delay_max_ms);
  return wanted;
}

result<core::api::exchange_request> request_of(const tg_DeclareExchange& declare) {
  const auto type = parse_exchange_type(view_of(declare.type));
  if (!type) return type.error();
  return core::api::exchange_request{std::string(view_of(declare.name)),
                                     *type,
                                     if_set(declare.has_auto_delete, declare.auto_delete),
                                     if_set(declare.has_internal, declare.internal),
                                     if_set(declare.alternate),
                                     if_set(declare.arguments)};
}

result<core::api::topic_request> request_of(const tg_DeclareTopic& declare) {
  const auto durability = durability_of(declare.durability);
  if (!durability) return durability.error();
  const auto overflow = overflow_of(declare.overflow, parse_overflow);
  if (!overflow) return overflow.error();
  return core::api::topic_request{std::string(view_of(declare.name)),
                                  declare.partitions,
                                  declare.retention_bytes,
                                  milliseconds(static_cast<std::int64_t>(declare.retention_ms)),
                                  declare.retention_records,
                                  *overflow,
                                  groups_of(view_of(declare.protect)),
                                  *durability};
}

result<binding_definition> request_of(const tg_Bind& bind) {
  const auto kind = parse_target_kind(view_of(bind.target_kind));
  if (!kind) return kind.error();
  if (!is_utf8(view_of(bind.routing_key))) return error{errc::invalid, "the routing key is not UTF-8", "routing_key"};
  return binding_definition{std::string(view_of(bind.exchange)), *kind, std::string(view_of(bind.target)),
                            std::string(view_of(bind.routing_key)), std::string(view_of(bind.arguments))};
}

namespace {

template <class Wire, class Request>
std::optional<error> read_all(const std::vector<std::string_view>& items, std::string_view list, tg_member member,
                              const pb_msgdesc_t* fields, std::vector<Request>& into) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const tg_frame frame{member, reinterpret_cast<const std::uint8_t*>(items[i].data()), items[i].size(), 0};
    Wire wire{};
    if (!tg_frame_decode(&frame, fields, &wire)) {
      return error{errc::invalid, fmt::format("{}[{}] does not decode", list, i), std::string(list)};
    }
    auto request = request_of(wire);
    if (!request) {
      error cause = request.error();
      cause.text = fmt::format("{}[{}]: {}", list, i, cause.text);
      return cause;
    }
    into.push_back(*std::move(request));
  }
  return std::nullopt;
}

}  // namespace

result<core::api::document> document_of(const define_frame& define) {
  core::api::document document;
  for (const auto& refused :
       {read_all<tg_DeclareExchange>(define.exchanges, "exchanges", TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
                                     document.exchanges),
        read_all<tg_DeclareQueue>(define.queues, "queues", TG_DECLARE_QUEUE, tg_DeclareQueue_fields, document.queues),
        read_all<tg_DeclareTopic>(define.topics, "topics", TG_DECLARE_TOPIC, tg_DeclareTopic_fields, document.topics),
        read_all<tg_Bind>(define.bindings, "bindings", TG_BIND, tg_Bind_fields, document.bindings)}) {
    if (refused) return *refused;
  }
  return document;
}

}  // namespace tidegate::native
