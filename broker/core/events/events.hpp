// Events for a session, which is one connection or one channel of it. Core calls them between requests, never inside
// one, whoever made it. The session may make requests of its own then.
#pragma once

#include <cstdint>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/message.hpp"

namespace tidegate::core {

enum class session_id : std::uint64_t {};
enum class consumer_id : std::uint64_t {};

// A message as a consumer pulls it. Borrowed: valid during the call.
struct delivery_view {
  std::uint64_t number = 0;  // counted from 1 in each session; settles the delivery
  offset_t offset = 0;
  bool redelivered = false;
  std::uint32_t deliveries = 0;  // known earlier deliveries
  std::int64_t timestamp_ms = 0;
  message_view message;
};

class session_events {
 public:
  virtual ~session_events() = default;
  // The request with this token is on flash (no refusal), or was refused.
  virtual void settled(std::uint64_t token, const error* refusal) = 0;
  // The consumer can pull messages.
  virtual void deliverable(consumer_id consumer) = 0;
  // The watched partition's stream has new records, or is gone. The watch is over.
  virtual void changed(stream_id stream) = 0;
  // Another session took the lease over.
  virtual void lease_lost(std::string_view name) = 0;
  // Core accepts requests again.
  virtual void resumed() = 0;
};

// Whom to answer when a commit is done.
struct receipt {
  session_id session{};
  std::uint64_t token = 0;
};

}  // namespace tidegate::core
