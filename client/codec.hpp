// Encodes plain values as frames of the native protocol, and decodes frames into plain values. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "client/values.hpp"

namespace tidegate::client::codec {

// ------------------------------------------------------------------------------------------------------ outgoing
// Each function appends one frame to `out`. The views need to be valid only during the call.

void encode_connect(std::string& out, std::uint32_t correlation, const connect_options& options);
void encode_ping(std::string& out, std::uint32_t ticks);
void encode_pong(std::string& out, std::uint32_t ticks);
void encode_declare_exchange(std::string& out, std::uint32_t correlation, const exchange_definition& exchange,
                             bool passive);
void encode_declare_queue(std::string& out, std::uint32_t correlation, const queue_definition& queue, bool passive);
void encode_declare_topic(std::string& out, std::uint32_t correlation, const topic_definition& topic, bool passive);

void encode_bind(std::string& out, std::uint32_t correlation, const binding_definition& binding);
void encode_unbind(std::string& out, std::uint32_t correlation, const binding_definition& binding);
void encode_delete(std::string& out, std::uint32_t correlation, std::string_view kind, std::string_view name,
                   const erase_options& options);
// A transaction, whose size is not checked: the caller does.
void encode_transact(std::string& out, std::uint32_t correlation, const transaction& transaction);
void encode_define(std::string& out, std::uint32_t correlation, const definitions& definitions, bool only_check);
void encode_purge(std::string& out, std::uint32_t correlation, std::string_view queue);
void encode_list(std::string& out, std::uint32_t correlation, std::string_view kind, std::string_view after,
                 std::uint32_t max_bytes);

void encode_publish(std::string& out, std::uint64_t id, const message_view& message, const publish_options& options);
void encode_consume(std::string& out, std::uint32_t correlation, std::uint32_t consumer, std::string_view queue,
                    const consume_options& options);
void encode_get(std::string& out, std::uint32_t correlation, std::string_view queue, bool auto_ack);
void encode_peek(std::string& out, std::uint32_t correlation, std::string_view queue, std::string_view after);
void encode_cancel(std::string& out, std::uint32_t correlation, std::uint32_t consumer);
void encode_settle(std::string& out, std::uint64_t tag, outcome outcome, bool multiple);

// A partition of a topic.
struct place {
  std::string_view topic;
  std::uint32_t partition = 0;
  std::string_view topic_id = {};  // empty = whichever topic has the name
};
void encode_produce(std::string& out, std::uint32_t correlation, const place& where, std::string_view batch);
void encode_fetch(std::string& out, std::uint32_t correlation, const fetch_request& request);
void encode_list_offset(std::string& out, std::uint32_t correlation, const place& where, std::int64_t timestamp_ms);
void encode_commit_offset(std::string& out, std::uint32_t correlation, std::string_view group, const place& where,
                          offset_t offset, std::string_view metadata);
void encode_fetch_offset(std::string& out, std::uint32_t correlation, std::string_view group, const place& where);
void encode_lease(std::string& out, std::uint32_t correlation, std::string_view name, const lease_options& options);

// ------------------------------------------------------------------------------------------------------ incoming

struct frame {
  std::uint32_t member = 0;
  std::string_view body;  // into the bytes that were split
  std::size_t size = 0;   // of the whole frame
};

// Returns the first frame in `bytes`; none while that frame is incomplete. Errors: `bytes` does not start with a frame,
// or the frame's body is above body_max bytes.
result<std::optional<frame>> split(std::string_view bytes, std::size_t body_max);

// A frame that a client has no use for: of an unknown kind, or of a kind that is sent only to devices or to brokers.
struct skipped {};
struct ping {
  std::uint32_t ticks = 0;
};
struct connected {
  std::uint32_t correlation = 0;
  session_info info;
  std::chrono::seconds heartbeat{0};
  std::uint32_t largest_frame = 0;
};
struct done {
  std::uint32_t correlation = 0;
  std::uint32_t partitions = 0;
  std::uint64_t message_count = 0;
  std::string topic_id = {};
  std::string notice = {};
  std::string name = {};
  std::uint32_t consumers = 0;
};
struct refusal {
  std::uint32_t correlation = 0;  // 0 = belongs to no request
  bool closing = false;
  error cause;
};
struct listed {
  std::uint32_t correlation = 0;
  listing_page page;
};
struct confirm {
  std::uint64_t id = 0;
  bool multiple = false;
  std::optional<error> failure = {};
};
struct returned {
  std::uint64_t id = 0;
};
struct produced {
  std::uint32_t correlation = 0;
  offset_t base_offset = 0;
};
struct fetch_answer {
  std::uint32_t correlation = 0;
  fetched value;
};
struct offset_answer {
  std::uint32_t correlation = 0;
  listed_offset value;
};
struct committed_answer {
  std::uint32_t correlation = 0;
  std::optional<committed_offset> value;
};

struct got {
  std::uint32_t correlation = 0;
  std::optional<got_message> value;
  std::string place = {};  // of a message that was peeked
};
struct cancelled {
  std::uint32_t consumer = 0;
  std::string queue;
};

using incoming = std::variant<skipped, ping, connected, done, refusal, listed, confirm, returned, delivery, produced,
                              fetch_answer, offset_answer, committed_answer, got, cancelled>;

// Decodes a frame's body. The result owns its bytes, so it may outlive the frame. Error: the body is malformed.
result<incoming> decode(const frame& frame);

}  // namespace tidegate::client::codec
