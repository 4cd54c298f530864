// Events that core sends to a session; a session stands for one connection, or for one channel of a connection. Core
// sends events between requests, never while a request of any session runs, so a session may make requests when it
// receives an event.
#pragma once

#include <cstdint>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/message.hpp"

namespace tidegate::core {

enum class session_id : std::uint64_t {};
enum class consumer_id : std::uint64_t {};

// A message as a consumer pulls it. The views are valid during the call that hands it out.
struct delivery_view {
  std::uint64_t number = 0;  // counted by session from 1; settling names it
  offset_t offset = 0;
  bool redelivered = false;
  std::uint32_t deliveries = 0;  // earlier deliveries that are known
  std::int64_t timestamp_ms = 0;
  message_view message;
};

class session_events {
 public:
  virtual ~session_events() = default;
  // Reports that the request with this token is settled. If `refusal` is null, its changes are on flash, or in memory
  // if its targets live there. Otherwise they were refused; `refusal` is valid during the call.
  virtual void settled(std::uint64_t token, const error* refusal) = 0;
  // Reports that the consumer has messages to pull.
  virtual void deliverable(consumer_id consumer) = 0;
  // Reports that the consumer has ended because its queue was deleted. Its unsettled deliveries are gone.
  virtual void cancelled(consumer_id consumer) = 0;
  // Reports that the watched partition's stream has new records or was deleted. Ends the watch.
  virtual void changed(stream_id stream) = 0;
  // Reports that another session took the lease over: the work that the lease stands for is that session's now.
  virtual void lease_lost(std::string_view name) = 0;
  // Reports that core accepts requests again. Only sessions that found core full receive this event.
  virtual void resumed() = 0;
};

// Names the session and the request that are notified when a commit is done. A publisher waits for its receipt.
struct receipt {
  session_id session{};
  std::uint64_t token = 0;
};

}  // namespace tidegate::core
