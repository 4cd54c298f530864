// Deaths: how a message left queues before it came here as a dead letter. Stored beside the message's properties, which
// stay as they came; a front-end shows deaths in its protocol's form (AMQP: the headers x-death, x-first-death-... and
// x-last-death-...).
//
// As bytes, protobuf fields: 1 one death each, the most recent first: {1 queue, 2 reason, 3 count, 4 Unix ms,
// 5 exchange, 6 routing key each, 7 the message's own time to live in ms plus one}; 2 the first death's queue, 3 its
// reason, 4 its exchange.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate {

enum class death_reason : std::uint8_t {
  rejected = 1,        // a consumer refused it
  expired = 2,         // its time to live was over
  maxlen = 3,          // its queue was at a bound
  delivery_limit = 4,  // it was delivered and returned too often
};
// Returns the reason as RabbitMQ's clients know it.
std::string_view name(death_reason reason);

struct death {
  std::string queue;
  death_reason reason{};
  std::uint64_t count = 1;   // deaths in this queue for this reason
  std::int64_t time_ms = 0;  // Unix time of the first of them
  std::string exchange;      // to which the message was published before it died the first time
  std::vector<std::string> routing_keys;
  // The time to live that the message itself had. It is removed when the message dies, so that it does not expire again
  // where it goes.
  std::optional<std::uint64_t> original_expiration = {};
  friend bool operator==(const death&, const death&) = default;
};

struct deaths {
  std::vector<death> list;  // one for each queue and reason, the most recent first
  std::string first_queue, first_exchange;
  death_reason first_reason{};

  // Adds a death, or counts one more in the queue for the reason, and moves it to the front.
  void add(death died);
  // Returns whether a message that dies in `queue` for `reason` must not enter it again: it was here before, and no
  // consumer has rejected it since. A message that only circulates among queues is dropped for this.
  bool is_cycle(std::string_view queue) const;
  friend bool operator==(const deaths&, const deaths&) = default;
};

// Decoding ignores what it does not know. Returns none if the bytes do not decode.
std::string encode(const deaths& deaths);
std::optional<deaths> decode_deaths(std::string_view encoded);

}  // namespace tidegate
