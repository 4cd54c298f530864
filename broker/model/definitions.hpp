// Definitions of exchanges, queues, topics and bindings: as values, and as rows of the store's catalog. A row is
// protobuf fields, so that names and keys may be any bytes.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/error.hpp"
#include "broker/model/durability.hpp"
#include "broker/model/ids.hpp"

namespace tidegate {

enum class exchange_type { direct, fanout, topic, headers };
std::string_view name(exchange_type type);
result<exchange_type> parse_exchange_type(std::string_view text);

struct exchange_definition {
  std::string name;
  exchange_type type = exchange_type::direct;
  bool auto_delete = false;                   // deleted when its last binding is removed
  bool internal = false;                      // clients cannot publish to it
  std::optional<std::string> alternate = {};  // exchange that gets what this one cannot route
  std::string arguments = {};                 // a protocol's own arguments as they came: a field table
};

// Behaviour of a queue, or of a topic's partition, at its bound in bytes or in number.
enum class overflow {
  drop_oldest,         // the new message is stored; the oldest is dropped and recorded in the loss ledger
  reject,              // the new message is refused until consumers, age, or a protected group that moves on make room
  reject_dead_letter,  // as reject; the refused message becomes a dead letter. Of queues only
};
std::string_view name(overflow overflow);
// `parse_overflow` takes what a topic may have, `parse_queue_overflow` what a queue may have.
result<overflow> parse_overflow(std::string_view text);
result<overflow> parse_queue_overflow(std::string_view text);

struct queue_definition {
  std::string name;
  stream_id stream{};
  tidegate::durability durability = {};
  std::uint64_t messages_max = 0;  // of ready messages; 0 = no bound
  std::uint64_t bytes_max = 0;     // bodies of ready messages; 0 = no bound
  tidegate::overflow overflow = tidegate::overflow::drop_oldest;
  bool auto_delete = false;                                    // deleted when its last consumer ends
  std::optional<std::chrono::milliseconds> time_to_live = {};  // of each message; none = no bound
  std::chrono::milliseconds expires{0};                        // unused so long, it is deleted; 0 = never
  std::optional<std::string> dead_letter_exchange = {};        // none = what dies is gone; "" = the default exchange
  std::optional<std::string> dead_letter_key = {};             // none = the message's own routing keys
  // A message returned more often than this dies. None = limits::delivery_limit, 0 = no limit.
  std::optional<std::uint32_t> delivery_limit = {};
  std::uint8_t priority_max = 0;  // messages have priorities from 0 to this
  // A message that is returned waits for min(returns x retry_delay, retry_delay_max); 0 = it is ready at once.
  std::chrono::milliseconds retry_delay{0}, retry_delay_max{0};
  bool single_active = false;          // one consumer at a time gets messages; others take over when it ends
  std::vector<stream_id> levels = {};  // streams of the priorities from 1 on; 0 = not used yet
  std::string arguments = {};          // a protocol's own arguments as they came: a field table
};

struct topic_definition {
  std::string name;
  std::string uuid;
  std::uint64_t retention_bytes = 0;           // of each partition, a hard bound
  std::chrono::milliseconds retention_age{0};  // 0 = no bound by age
  std::vector<stream_id> partitions;           // their streams, by partition number
  std::uint64_t retention_records = 0;         // of each partition, a hard bound; 0 = none
  tidegate::overflow overflow = tidegate::overflow::drop_oldest;
  std::vector<std::string> protect = {};  // groups whose unread records are dropped last
  tidegate::durability durability = {};
};

enum class target_kind { queue, topic, exchange };
std::string_view name(target_kind kind);
result<target_kind> parse_target_kind(std::string_view text);

struct binding_definition {
  std::string exchange;
  target_kind kind = target_kind::queue;
  std::string target;
  std::string routing_key;
  std::string arguments = {};  // a field table; a headers exchange matches by it
  friend auto operator<=>(const binding_definition&, const binding_definition&) = default;
};

// Returns whether the text is well-formed UTF-8 (RFC 3629), which JSON and protobuf require.
bool is_utf8(std::string_view text);

// Checks the name of an exchange, queue or group: 1-249 bytes of UTF-8 without control characters. `what` is the kind
// of object, for the error.
result<void> check_name(std::string_view what, std::string_view name);
// Checks the name of a topic by Kafka's rule: 1-249 letters, digits, '.', '_' and '-', not "." or "..".
result<void> check_topic_name(std::string_view name);

// Rows, by field number. 14 is a protocol's own arguments, as they came; 15 is reserved for who declared it:
//   exchange  1 name, 2 type (1 direct, 2 fanout, 3 topic, 4 headers), 3 auto_delete, 4 internal, 5 alternate
//   queue     1 name, 2 stream, 3 durability as text, 4 messages_max, 5 bytes_max, 6 overflow (1 reject, 2 reject and
//             dead-letter), 7 auto_delete, 8 time_to_live ms + 1, 9 expires ms, 10 dead_letter_exchange,
//             11 dead_letter_key, 12 delivery_limit + 1, 13 priority_max, 16 retry_delay ms, 17 retry_delay_max ms,
//             18 single_active, 19 streams of the priorities from 1 on (packed)
//   topic     1 name, 2 uuid, 3 retention bytes, 4 ms, 5 records, 6 overflow, 7 protect (each), 8 durability as text,
//             9 streams of the partitions (packed)
//   binding   1 exchange, 2 kind of the target (1 queue, 2 topic, 3 exchange), 3 target, 4 routing key, 14 arguments
std::string encode(const exchange_definition& exchange);
std::string encode(const queue_definition& queue);
std::string encode(const topic_definition& topic);
std::string encode(const binding_definition& binding);
// Throw store_damaged if the row does not decode, and storage_failure for a field or a number that this version does
// not know, because ignoring it could be wrong.
exchange_definition decode_exchange(std::string_view row);
queue_definition decode_queue(std::string_view row);
topic_definition decode_topic(std::string_view row);
binding_definition decode_binding(std::string_view row);

}  // namespace tidegate
