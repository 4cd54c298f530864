// A message as the core sees it, whatever protocol brought it.
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

// Borrowed: the views live as long as the buffer they point into.
struct message_view {
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view key;  // partition key; empty = none
  std::vector<header> headers;
  std::string_view body;
  bool is_time_estimated = false;  // the gateway's clock was not trusted when it came
};

// Checks the sizes of limits.hpp; the error names the part and its limit.
result<void> check(const message_view& message);

// Headers under which a topic's record keeps what Kafka's record has no field for, readable to every Kafka client.
// Other names that begin with `tg-` are the bridge's (docs/bridge.md); a publisher may not use the prefix.
constexpr std::string_view reserved_header_prefix = "tg-";
constexpr std::string_view header_exchange = "tg-exchange";
constexpr std::string_view header_routing_key = "tg-routing-key";
// Wall time of a reading kept on a device, in Unix ms as decimal text: arrival less the reading's age.
constexpr std::string_view header_time = "tg-time";

// The gateway's clock was not trusted when the record came: its timestamp is an estimate. No value. Consumers of queues
// are given it as well.
constexpr std::string_view header_estimated = "tg-estimated";
// The first record of a partition after the gateway's clock was set back to the right time: the newest time that was
// stamped in error, in Unix ms as decimal text. Records before this one with a later time than its own are those.
constexpr std::string_view header_clock_corrected = "tg-clock-corrected";

}  // namespace tidegate
