// A connection to the broker's native port, for C++20 coroutines. One thread: everything runs on the executor given.
//
// Failures are exceptions: tidegate::error_exception for what the broker refused (its code, text and field),
// boost::system::system_error when the connection ends, times out or cannot be made. After the latter the connection
// is closed and open() may be called again. Requests may be made side by side by several coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/error.hpp"
#include "broker/model/ids.hpp"
#include "broker/model/message.hpp"

namespace tidegate::client {

template <class T = void>
using awaitable = boost::asio::awaitable<T>;

constexpr std::uint16_t default_port = 7420;

struct endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = default_port;
};

// "host", "host:port" or "[v6]:port".
result<endpoint> parse_endpoint(std::string_view text);

struct connect_options {
  std::string name = "tidegate-client";  // shown in the broker's listings
  std::string token;
  std::string producer;             // identity for dropping duplicates; empty = none
  std::uint32_t producer_epoch = 0;
  std::chrono::seconds heartbeat{0};               // 0 = the broker's
  std::chrono::milliseconds request_timeout{30'000};
  std::size_t publish_window = 1'000;              // publishes without confirm
  std::size_t deliveries_held_max = 70'000;        // received and not yet taken; above it the connection is closed
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

// How a publish ended. `unroutable`: mandatory, and no binding matched.
struct confirmation {
  std::uint64_t id = 0;
  std::optional<error> failure;
  bool unroutable = false;
};

struct topic_definition {
  std::string name;
  std::uint32_t partitions = 1;
  std::uint64_t retention_bytes = 0;           // of each partition; 0 = the broker's default
  std::chrono::milliseconds retention_age{0};  // 0 = no bound by age
};

// Owned; the header views point into `storage`.
struct delivery {
  std::uint32_t consumer = 0;
  std::uint64_t tag = 0;
  bool redelivered = false;
  std::uint32_t delivery_count = 0;
  std::int64_t timestamp_ms = 0;
  message_view message;
  std::shared_ptr<const std::string> storage;
};

enum class outcome { ack, requeue, discard };

struct fetch_request {
  std::string topic;
  std::uint32_t partition = 0;
  offset_t offset = 0;
  std::uint32_t max_bytes = 0;  // 0 = the broker's
  std::uint32_t min_bytes = 1;
  std::chrono::milliseconds max_wait{0};
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

constexpr std::int64_t timestamp_end = -1;
constexpr std::int64_t timestamp_start = -2;

class connection {
 public:
  explicit connection(boost::asio::any_io_executor executor);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  awaitable<session_info> open(endpoint where, connect_options options);
  // Ends everything that waits, with operation_aborted. Harmless when closed.
  void close();
  bool is_open() const;

  awaitable<> declare_exchange(std::string_view name, std::string_view type, bool passive = false);
  // Ready messages in it.
  awaitable<std::uint64_t> declare_queue(std::string_view name, bool passive = false);
  // Its number of partitions.
  awaitable<std::uint32_t> declare_topic(const topic_definition& topic, bool passive = false);
  awaitable<> bind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                   std::string_view routing_key);
  awaitable<> unbind(std::string_view exchange, std::string_view target_kind, std::string_view target,
                     std::string_view routing_key);
  awaitable<> erase(std::string_view kind, std::string_view name);
  // JSON as link.proto's Listed has it.
  awaitable<std::string> list(std::string_view kind);

  // Sends as soon as the window has room and returns the publish's id; its end is told to on_confirmation.
  awaitable<std::uint64_t> send(const message_view& message, publish_options options = {});
  void on_confirmation(std::function<void(const confirmation&)> handler);
  // Until every publish is settled.
  awaitable<> drain();
  // Sends and waits for its confirmation. Do not mix with on_confirmation's handler on the same id.
  awaitable<confirmation> publish(const message_view& message, publish_options options = {});

  // The consumer's id. prefetch 0 = as many as the broker allows.
  awaitable<std::uint32_t> consume(std::string_view queue, std::uint32_t prefetch, bool auto_ack = false);
  awaitable<> cancel(std::uint32_t consumer);
  // The next delivery of any consumer of this connection.
  awaitable<delivery> receive();
  // Sent without waiting; the broker answers only errors.
  awaitable<> settle(std::uint64_t tag, outcome outcome, bool multiple = false);

  // The base offset of a batch made with batch_builder.
  awaitable<offset_t> produce(std::string_view topic, std::uint32_t partition, std::string_view batch);
  awaitable<fetched> fetch(const fetch_request& request);
  awaitable<listed_offset> list_offset(std::string_view topic, std::uint32_t partition, std::int64_t timestamp_ms);
  awaitable<> commit_offset(std::string_view group, std::string_view topic, std::uint32_t partition, offset_t offset,
                            std::string_view metadata = {});
  awaitable<std::optional<committed_offset>> fetch_offset(std::string_view group, std::string_view topic,
                                                          std::uint32_t partition);

 private:
  class state;
  std::shared_ptr<state> state_;
};

}  // namespace tidegate::client
