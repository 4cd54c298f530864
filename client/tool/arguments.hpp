// The parsed command line, checked as far as possible without a broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/tool/moment.hpp"
#include "client/values.hpp"

namespace tidegate::tool {

struct publish_arguments {
  std::string exchange;
  std::string routing_key;
  std::string partition_key;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string properties;  // encoded: broker/model/properties.hpp
  bool mandatory = true;
  std::chrono::milliseconds delay{0};
  // The source of the bodies: exactly one of these four.
  std::optional<std::string> body;
  std::string file;
  bool lines = false;
  std::optional<std::size_t> generated_bytes;
  std::uint64_t count = 1;  // number of messages; not used with `lines`, which publishes every line
  bool progress = false;
  std::optional<std::uint64_t> first_sequence;
};

struct consume_arguments {
  std::string queue;
  std::uint32_t prefetch = 100;
  std::optional<std::uint64_t> count;
  std::optional<std::chrono::milliseconds> idle;
  bool auto_ack = false;
  bool exclusive = false;
  std::int32_t priority = 0;
  client::outcome outcome = client::outcome::ack;
  bool raw = false;
};

struct tail_arguments {
  std::string topic;
  std::optional<std::uint32_t> partition;  // none = all
  moment from;
  bool follow = false;
  std::optional<std::uint64_t> count;
  std::string group;
};

struct offsets_arguments {
  std::string topic;
  std::optional<std::uint32_t> partition;
  std::string group;
  std::optional<moment> set;
};

struct declare_arguments {
  std::string kind;
  client::topic_definition topic;
  client::queue_definition queue;
  client::exchange_definition exchange;
  bool passive = false;
};

struct binding_arguments {
  bool remove = false;
  client::binding_definition binding;
};

struct delete_arguments {
  std::string kind;
  std::string name;
  client::erase_options conditions;
};

struct get_arguments {
  std::string queue;
  std::uint64_t count = 1;
  client::outcome outcome = client::outcome::ack;
  bool raw = false;
};

struct peek_arguments {
  std::string queue;
  std::uint64_t count = 10;
  bool raw = false;
};

struct purge_arguments {
  std::string queue;
};

// Moves messages of a queue: to another one, or dead letters to where they came from.
struct move_arguments {
  std::string queue;
  std::string to;  // empty = to where they came from
  std::optional<std::uint64_t> count = {};
};

struct request_arguments {
  std::string exchange;
  std::string routing_key;
  std::string body;
  std::chrono::milliseconds timeout{5'000};
  bool raw = false;
};

struct reply_arguments {
  std::string queue;
  std::optional<std::string> body;  // none = the request's own
  std::optional<std::uint64_t> count;
};

struct export_arguments {};

struct import_arguments {
  std::string file;  // "-" is standard input
  bool only_check = false;
};

struct list_arguments {
  std::string kind;
  std::string queue = {};  // of bindings: only those to this queue; empty = all
};

enum class store_action { check, show, save, salvage, restore };

// The arguments of commands that work on a store's directory, without a broker.
struct store_arguments {
  store_action action = store_action::check;
  std::string directory;
  std::string file;  // the archive; "-" is standard input or output
  std::optional<std::uint64_t> bytes_max;
  bool keeps_incarnation = false;
};

enum class bench_kind { queue, topic, fetch, fanout, request, mixed };

struct bench_arguments {
  bench_kind kind = bench_kind::queue;
  std::size_t connections = 1;  // connections that publish, or send requests
  std::size_t consumers = 1;    // connections that consume, read or answer
  std::size_t queues = 0;
  std::size_t topics = 0;
  std::uint32_t partitions = 1;
  std::size_t window = 1;  // on each connection: messages, batches or requests in flight
  std::uint32_t prefetch = 1'000;
  std::size_t batch = 1'000;  // records
  std::size_t size = 100;     // bytes of a body
  double rate = 0;            // messages a second on all connections; 0 = closed loop
  double topic_rate = 0;      // mixed: records a second
  std::optional<std::uint64_t> messages;
  std::chrono::milliseconds time{10'000};   // measured
  std::chrono::milliseconds warmup{1'000};  // before it
  client::topic_definition topic;           // durability: of queues as well; name: an existing topic to fetch, or empty
  std::size_t threads = 1;
  bool direct = false;  // request: replies come without a queue
  // queue:
  std::uint32_t priorities = 0;               // how many the messages have in turn; 0 = none
  std::chrono::milliseconds time_to_live{0};  // of each message; 0 = none
  bool dead_letters = false;                  // what is discarded goes to a queue of dead letters
  bool discards = false;                      // consumers discard instead of acknowledging
  bool verify = false;
  bool keep = false;
  bool progress = false;
  std::string reference;  // directory; empty = none
};

using command = std::variant<publish_arguments, consume_arguments, tail_arguments, offsets_arguments, declare_arguments,
                             binding_arguments, delete_arguments, list_arguments, store_arguments, bench_arguments,
                             get_arguments, peek_arguments, purge_arguments, move_arguments, request_arguments,
                             reply_arguments, export_arguments, import_arguments>;

struct arguments {
  client::endpoint broker;
  client::connect_options connect;
  bool json = false;
  tool::command command;
};

}  // namespace tidegate::tool
