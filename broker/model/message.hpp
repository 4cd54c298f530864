// A message as core sees it, whatever its protocol was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/error.hpp"

namespace tidegate {

struct header {
  std::string_view name;
  std::string_view value;
};

// Borrowed: the views are valid as long as the buffer they point into.
struct message_view {
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view key;  // partition key; empty = none
  std::vector<header> headers;
  std::string_view body;
  bool is_time_estimated = false;    // the gateway's clock was not trusted when the message came
  std::string_view properties = {};  // encoded, with typed headers: properties.hpp; empty = none
  // The following are the broker's: publishers do not set them.
  std::string_view deaths = {};  // of a dead letter, encoded: deaths.hpp
  std::uint64_t due_ms = 0;      // age of the store at which the message expires, or a delayed one is routed; 0 = never
  std::uint32_t attempts = 0;    // deliveries before a delayed retry
  std::string_view return_to = {};  // queue to which a delayed retry returns
  std::uint64_t expires_ms = 0;     // age of the store at which a message expires that waits for its retry; 0 = never
};

// Replies without a queue: a connection consumes from this name, and gives it as reply_to of its requests. What is
// published to the address that a request then carries, this name and more, comes back to that connection alone.
constexpr std::string_view direct_reply_name = "amq.rabbitmq.reply-to";

// Checks the sizes of limits.hpp; the error names the part and its limit. Does not decode the properties.
result<void> check(const message_view& message);

// Headers in which a topic's record keeps what Kafka's record has no field for, readable for every Kafka client. Other
// names that start with `tg-` are the bridge's (docs/bridge.md). Publishers may not use the prefix.
constexpr std::string_view reserved_header_prefix = "tg-";
constexpr std::string_view header_exchange = "tg-exchange";
constexpr std::string_view header_routing_key = "tg-routing-key";
// Wall time of a reading that a device kept, in Unix ms as decimal text: arrival minus the reading's age.
constexpr std::string_view header_time = "tg-time";

// The message's properties, encoded (properties.hpp).
constexpr std::string_view header_properties = "tg-properties";
// The gateway's clock was not trusted when the record came: its timestamp is an estimate. No value. Consumers of queues
// get this header, too.
constexpr std::string_view header_estimated = "tg-estimated";
// On the first record of a partition after the gateway's clock was set back to the right time: the newest timestamp
// that was given in error, in Unix ms as decimal text. The earlier records of the partition whose timestamp is later
// than this record's carry timestamps given in error.
constexpr std::string_view header_clock_corrected = "tg-clock-corrected";
// Of a dead letter in a topic: the queue that it left, and why (model/deaths.hpp).
constexpr std::string_view header_death_queue = "tg-death-queue";
constexpr std::string_view header_death_reason = "tg-death-reason";

}  // namespace tidegate
