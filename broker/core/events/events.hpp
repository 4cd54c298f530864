// What core tells a session, which stands for one connection or for one channel of it. Core tells it between requests,
// never inside one, whoever made it; the session may make requests of its own then.
#pragma once

#include <cstdint>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/message.hpp"

namespace tidegate::core {

enum class session_id : std::uint64_t {};
enum class consumer_id : std::uint64_t {};

// A message as a consumer pulls it; borrowed.
struct delivery_view {
  std::uint64_t number = 0;  // the session's deliveries count from 1: what is settled
  offset_t offset = 0;
  bool redelivered = false;
  std::uint32_t deliveries = 0;  // earlier ones that are known
  std::int64_t timestamp_ms = 0;
  message_view message;
};

class session_events {
 public:
  virtual ~session_events() = default;
  // What was asked with this token is on flash (no refusal), or was refused.
  virtual void settled(std::uint64_t token, const error* refusal) = 0;
  // The consumer has something to pull.
  virtual void deliverable(consumer_id consumer) = 0;
  // The watched partition's stream has new records, or is gone. The watch is over.
  virtual void changed(stream_id stream) = 0;
  // Another session took the lease over: what it stands for is that one's work now.
  virtual void lease_lost(std::string_view name) = 0;
  // Core takes work again.
  virtual void resumed() = 0;
};

// Where an answer goes when a commit is through.
struct receipt {
  session_id session{};
  std::uint64_t token = 0;
};

}  // namespace tidegate::core
