// Parameters and results of the client's calls: plain values, without Asio.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/message.hpp"

namespace tidegate::client {

constexpr std::uint16_t default_port = 7420;

struct endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = default_port;
};

// Reads "host", "host:port" or "[v6]:port".
result<endpoint> parse_endpoint(std::string_view text);

struct connect_options {
  std::string name = "tidegate-client";  // shown in the broker's listings
  std::string token = {};
  std::string producer = {};  // identity for dropping duplicates; empty = none
  std::uint32_t producer_epoch = 0;
  std::chrono::seconds heartbeat{0};  // 0 = the broker's
  std::chrono::milliseconds request_timeout{30'000};
  std::size_t publish_window = 1'000;        // publishes without confirm
  std::size_t deliveries_held_max = 70'000;  // received and not taken by receive(); above it the connection is closed
};

struct session_info {
  std::string server;
  std::string gateway;      // stable id of the gateway
  std::string incarnation;  // UUID of its store
  std::uint64_t producer_sequence = 0;
};

struct publish_options {
  bool mandatory = false;
  std::uint64_t sequence = 0;  // producer sequence; 0 = none
};

// How a publish ended. `unroutable`: it was mandatory, and no binding matched.
struct confirmation {
  std::uint64_t id = 0;
  std::optional<error> failure;
  bool unroutable = false;
};

struct queue_definition {
  std::string name;
  std::string durability = {};     // "commit", "interval:<ms>" or "memory"; empty = unchanged, "commit" for a new queue
  std::uint64_t messages_max = 0;  // of ready messages; 0 = no bound, or unchanged
  std::uint64_t bytes_max = 0;     // bodies of ready messages; 0 = no bound, or unchanged
  std::string overflow = {};  // at a bound: "drop-oldest" or "reject"; empty = unchanged, drop-oldest for a new queue
};

struct topic_definition {
  std::string name;
  std::uint32_t partitions = 1;
  std::uint64_t retention_bytes = 0;           // of each partition; 0 = the broker's default
  std::chrono::milliseconds retention_age{0};  // 0 = no bound by age
  std::string durability = {};                 // as for a queue
  std::uint64_t retention_records = 0;         // of each partition; 0 = no bound
  std::string overflow = {};                   // as for a queue
  std::vector<std::string> protect = {};       // groups whose unread records are dropped last
};

struct declared_topic {
  std::uint32_t partitions = 0;
  std::string id;      // UUID; a topic that is deleted and declared again has another one
  std::string notice;  // advice for people about a declaration that is valid but hardly as intended; empty = none
};

// Owned: the header views point into `storage`.
struct delivery {
  std::uint32_t consumer = 0;
  std::uint64_t tag = 0;
  bool redelivered = false;
  std::uint32_t delivery_count = 0;
  std::int64_t timestamp_ms = 0;
  message_view message;
  std::shared_ptr<const std::string> storage;
};

// One page of a list.
struct listing_page {
  std::string json;  // see Listed in link.proto
  std::string next;  // asks for the next page; empty = this is the last page
};

enum class outcome { ack, requeue, discard };

struct fetch_request {
  std::string topic;
  std::uint32_t partition = 0;
  offset_t offset = 0;
  std::uint32_t max_bytes = 0;  // 0 = the broker's
  std::uint32_t min_bytes = 1;
  std::chrono::milliseconds max_wait{0};
  std::string topic_id = {};  // refused if another topic has taken the name (PRECONDITION, topic_id); empty = any
};

struct fetched {
  bool out_of_range = false;
  offset_t log_start = 0;
  offset_t high_watermark = 0;
  std::string batches;  // record batches v2, back to back; the first may begin before the asked offset
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
  bool take_over = false;  // from another holder, whose connection is closed (FENCED)
  std::string owner =
      {};  // identifies the program: an older connection of the same owner does not hold the lease against it
};

constexpr std::int64_t timestamp_end = -1;
constexpr std::int64_t timestamp_start = -2;

}  // namespace tidegate::client
