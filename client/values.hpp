// The arguments and results of the client's calls: plain values, without Asio.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/message.hpp"

namespace tidegate::client {

constexpr std::uint16_t default_port = 7420;

struct endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = default_port;
};

// Parses "host", "host:port" or "[v6]:port"; without a port it is default_port. Errors: INVALID, with the field
// `broker`.
result<endpoint> parse_endpoint(std::string_view text);

struct connect_options {
  std::string name = "tidegate-client";  // shown in the broker's listings
  std::string token = {};
  std::string producer = {};  // identity for dropping duplicates; empty = none
  std::uint32_t producer_epoch = 0;
  std::chrono::seconds heartbeat{0};  // 0 = the broker's
  std::chrono::milliseconds request_timeout{30'000};
  std::size_t publish_window = 1'000;        // most publishes without a confirm
  std::size_t deliveries_held_max = 70'000;  // deliveries not yet received by the caller; one more ends the connection
};

struct session_info {
  std::string server;
  std::string gateway;                  // stable id of the gateway
  std::string incarnation;              // UUID of its store
  std::uint64_t producer_sequence = 0;  // last confirmed sequence of the producer; 0 = none
};

struct publish_options {
  bool mandatory = false;              // report the message as unroutable if no binding matches
  std::uint64_t sequence = 0;          // producer sequence; 0 = none
  std::chrono::milliseconds delay{0};  // the message is routed so much later; at most 49 days
};

// The end of a publish. `failure`: why the broker refused it; none = it did not. `unroutable`: the publish was
// mandatory, and no binding matched; the message was not stored.
struct confirmation {
  std::uint64_t id = 0;
  std::optional<error> failure;
  bool unroutable = false;
};

// For an exchange that exists, what is not set is unchanged.
struct exchange_definition {
  std::string name;
  std::string type = "direct";                // or "fanout", "topic", "headers"
  std::optional<bool> auto_delete = {};       // deleted with its last binding
  std::optional<bool> internal = {};          // takes messages from other exchanges only
  std::optional<std::string> alternate = {};  // exchange for what no binding matches; "" = the default exchange
};

// `arguments`: an AMQP field table (broker/model/field_table.hpp); a headers exchange matches by it.
struct binding_definition {
  std::string exchange;
  std::string target_kind;  // "queue", "topic" or "exchange"
  std::string target;
  std::string routing_key = {};
  std::string arguments = {};
};

struct queue_definition {
  std::string name;
  std::string durability = {};     // "commit", "interval:<ms>" or "memory"; empty = unchanged, "commit" if new
  std::uint64_t messages_max = 0;  // bound of ready messages; 0 = unchanged, unlimited if new
  std::uint64_t bytes_max = 0;     // bound of ready messages, in bytes of their bodies; 0 = unchanged, unlimited if new
  // At a bound: "drop-oldest", "reject" or "reject-dead-letter"; empty = unchanged, "drop-oldest" if new.
  std::string overflow = {};
  std::optional<bool> auto_delete = {};    // deleted when its last consumer ends; not set = unchanged, false if new
  std::optional<bool> single_active = {};  // one consumer at a time gets messages; so, too
  bool exclusive = false;                  // for this connection alone: in memory, gone when the connection ends
  // Not set = unchanged, or none if new.
  std::optional<std::chrono::milliseconds> time_to_live = {};  // of each message
  std::optional<std::chrono::milliseconds> expires = {};       // unused so long, the queue is deleted
  std::optional<std::string> dead_letter_exchange = {};        // gets what dies here; "" = the default exchange
  std::optional<std::string> dead_letter_key = {};             // their routing key; not set = their own
  std::optional<std::uint32_t> delivery_limit = {};            // returned more often, a message dies; 0 = no limit
  std::optional<std::uint32_t> priority_max = {};              // messages have priorities from 0 to this
  // A message that is returned waits for min(returns x retry_delay, retry_delay_max).
  std::optional<std::chrono::milliseconds> retry_delay = {}, retry_delay_max = {};
};

struct declared_queue {
  std::string name;  // given by the broker if the definition had none
  std::uint64_t ready = 0;
  std::uint32_t consumers = 0;
};

struct consume_options {
  std::uint32_t prefetch = 0;  // unsettled deliveries at most; 0 = as many as the broker allows
  bool auto_ack = false;
  bool exclusive = false;     // the queue's only consumer
  std::int32_t priority = 0;  // consumers of a higher one come first, as long as they have credit
};

// What has to be true for an exchange or a queue to be deleted. Else it is refused (PRECONDITION).
struct erase_options {
  bool if_unused = false;  // the exchange has no bindings, the queue no consumers
  bool if_empty = false;   // no message of the queue is ready
};

struct topic_definition {
  std::string name;
  std::uint32_t partitions = 1;
  std::uint64_t retention_bytes = 0;           // of each partition; 0 = the broker's default
  std::chrono::milliseconds retention_age{0};  // 0 = no bound by age
  std::string durability = {};                 // as in queue_definition
  std::uint64_t retention_records = 0;         // of each partition; 0 = no bound
  std::string overflow = {};                   // as in queue_definition
  std::vector<std::string> protect = {};       // groups whose unread records are dropped last
};

// Definitions that are declared together. Bindings may name what is among them.
struct definitions {
  std::vector<exchange_definition> exchanges;
  std::vector<queue_definition> queues;
  std::vector<topic_definition> topics;
  std::vector<binding_definition> bindings;
};

struct declared_topic {
  std::uint32_t partitions = 0;
  std::string id;      // UUID, a new one each time a topic of the name is made
  std::string notice;  // for a person: the topic is declared, but probably not as was meant; empty = no remark
};

// A message delivered to a consumer. The views in `message` point into `storage`.
struct delivery {
  std::uint32_t consumer = 0;
  std::uint64_t tag = 0;
  bool redelivered = false;
  std::uint32_t delivery_count = 0;
  std::int64_t timestamp_ms = 0;
  message_view message;
  std::shared_ptr<const std::string> storage;
};

// The answer to get(). `left`: messages that are ready after this one.
struct got_message {
  client::delivery delivery;
  std::uint64_t left = 0;
};

// The answer to peek(). `place`: for the peek of the message after this one. `ready`: messages that are ready.
struct peeked_message {
  client::delivery delivery;
  std::string place;
  std::uint64_t ready = 0;
};

enum class outcome { ack, requeue, discard };

// Messages and settlements that take effect together, with one commit, or not at all. Views have to be valid until the
// call returns.
struct transaction {
  struct publish {
    message_view message;
    std::chrono::milliseconds delay{0};
  };
  struct settlement {
    std::uint64_t tag = 0;
    client::outcome outcome{};
    bool multiple = false;
  };
  std::vector<publish> publishes;
  std::vector<settlement> settlements;
  bool all_routable = false;  // a message that nothing takes refuses all of it: NOT_FOUND
};

// One page of a list.
struct listing_page {
  std::string json;  // as in link.proto's Listed
  std::string next;  // the `after` that requests the next page; empty = this is the last page
};

struct fetch_request {
  std::string topic;
  std::uint32_t partition = 0;
  offset_t offset = 0;
  std::uint32_t max_bytes = 0;            // 0 = the broker's limit
  std::uint32_t min_bytes = 1;            // the broker waits until there are this many bytes
  std::chrono::milliseconds max_wait{0};  // but at most this long
  std::string topic_id = {};  // refused if another topic has the name now (PRECONDITION, field topic_id); empty = any
};

struct fetched {
  bool out_of_range = false;
  offset_t log_start = 0;
  offset_t high_watermark = 0;
  std::string batches;  // record batches v2, back to back; the first may start before the requested offset
};

struct listed_offset {
  offset_t offset = 0;
  offset_t log_start = 0;
  offset_t high_watermark = 0;
};

struct committed_offset {
  offset_t offset = 0;
  std::string metadata;
};

struct lease_options {
  bool take_over = false;  // takes the lease from another holder, whose connection is closed (FENCED)
  std::string owner = {};  // random, made when the program starts; takes the lease from an older connection of its own
};

// Values of list_offset's timestamp that name an end of the partition instead of a time.
constexpr std::int64_t timestamp_end = -1;
constexpr std::int64_t timestamp_start = -2;

}  // namespace tidegate::client
