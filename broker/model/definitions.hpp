// What operators and clients declare, as plain values and as the JSON the store's catalog keeps.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/error.hpp"
#include "broker/model/durability.hpp"
#include "broker/model/ids.hpp"

namespace tidegate {

enum class exchange_type { direct, fanout, topic };
std::string_view name(exchange_type type);
result<exchange_type> parse_exchange_type(std::string_view text);

struct exchange_definition {
  std::string name;
  exchange_type type = exchange_type::direct;
};

// What happens when a queue, or a topic's partition, is at its bound in bytes or in number.
enum class overflow {
  drop_oldest,  // what is new is taken; the oldest goes, and the loss ledger says so
  reject,       // what is new is refused until consumers, age, or a protected group that moves on make room
};
std::string_view name(overflow overflow);
result<overflow> parse_overflow(std::string_view text);

struct queue_definition {
  std::string name;
  stream_id stream{};
  tidegate::durability durability = {};
  std::uint64_t messages_max = 0;  // of what is ready; 0 = no bound
  std::uint64_t bytes_max = 0;     // of what is ready, as content_bytes() counts; 0 = no bound
  tidegate::overflow overflow = tidegate::overflow::drop_oldest;
};

struct topic_definition {
  std::string name;
  std::string uuid;
  std::uint64_t retention_bytes = 0;           // of each partition, a hard bound
  std::chrono::milliseconds retention_age{0};  // 0 = no bound by age
  std::vector<stream_id> partitions;           // their streams
  std::uint64_t retention_records = 0;         // of each partition, a hard bound; 0 = none
  tidegate::overflow overflow = tidegate::overflow::drop_oldest;
  std::vector<std::string> protect = {};  // groups whose unread records go last
  tidegate::durability durability = {};
};

enum class target_kind { queue, topic };
std::string_view name(target_kind kind);
result<target_kind> parse_target_kind(std::string_view text);

struct binding_definition {
  std::string exchange;
  target_kind kind = target_kind::queue;
  std::string target;
  std::string routing_key;
  friend auto operator<=>(const binding_definition&, const binding_definition&) = default;
};

// Well-formed (RFC 3629), as JSON and protobuf want their text.
bool is_utf8(std::string_view text);

// Names of exchanges, queues and groups: 1-249 bytes of UTF-8 without control characters.
result<void> check_name(std::string_view what, std::string_view name);
// Topics: Kafka's rule, 1-249 of letters, digits, '.', '_' and '-', not "." or "..".
result<void> check_topic_name(std::string_view name);

std::string to_json(const exchange_definition& exchange);
std::string to_json(const queue_definition& queue);
std::string to_json(const topic_definition& topic);
std::string to_json(const binding_definition& binding);
// Throw storage_failure: what the catalog holds, we wrote.
exchange_definition exchange_from_json(std::string_view json);
queue_definition queue_from_json(std::string_view json);
topic_definition topic_from_json(std::string_view json);
binding_definition binding_from_json(std::string_view json);

}  // namespace tidegate
