#include <fmt/format.h>

#include "broker/base/limits.hpp"
#include "broker/model/properties.hpp"
#include "client/tool/command_words.hpp"

namespace tidegate::tool {
namespace {

moment taken_moment(const char* option, const std::string& text) {
  return taken(option, parse_moment(text, std::chrono::system_clock::now()));
}

// ------------------------------------------------------------------------------------------------------- publish

constexpr const char* publish_description = "Publish messages and wait for their confirms";

constexpr const char* publish_epilogue =
    "A confirmed message is on flash, in every queue and topic that it was routed to.\n"
    "Without --exchange the default exchange is meant: the key is a queue's name. A message that no queue or\n"
    "topic takes is unroutable: it is stored nowhere and counts as failed. With --no-mandatory the broker\n"
    "confirms such a message and discards it.\n"
    "With --producer the broker drops what it has already seen of that producer, so that a publish may\n"
    "be repeated after a failure; sequences continue after the last one on flash, or start at\n"
    "--first-sequence.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate publish --key work 'a message'\n"
    "  tidegate publish --exchange amq.topic --key plant.1.temperature --header unit=C 21.5\n"
    "  sensor | tidegate publish --exchange readings --key plant.1 --lines\n"
    "  tidegate publish --key work --file picture.jpg\n"
    "  tidegate publish --exchange load --size 100 --count 100000 --window 5000\n"
    "\n"
    "EXIT CODES\n"
    "  0  all are confirmed     1  some are not, or unroutable: says how many and why     2  usage";

// Texts of AMQP's properties take up to 255 bytes.
struct property_options {
  std::optional<std::string> content_type, correlation_id, reply_to, message_id, type, app_id;
  std::optional<std::uint8_t> priority;
  std::string expiration;
};

void add_properties(CLI::App& command, property_options& options) {
  const auto add = [&](const char* option, std::optional<std::string>& into, const char* meaning) {
    command.add_option(option, into, meaning)->type_name("TEXT")->check([](const std::string& text) {
      return text.size() <= 255 ? std::string() : fmt::format("{} bytes are over the limit of 255", text.size());
    });
  };
  add("--content-type", options.content_type, "A property: the body's media type, as in application/json");
  add("--message-id", options.message_id, "A property: the message's own id");
  add("--correlation-id", options.correlation_id, "A property: of a reply, what it answers");
  add("--reply-to", options.reply_to, "A property: queue for replies");
  add("--type", options.type, "A property: what the message is about");
  add("--app-id", options.app_id, "A property: the program that publishes");
  command.add_option("--priority", options.priority, "A property: messages of a higher one come first")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{0}, limits::priority_max));
  command.add_option("--ttl", options.expiration, "A property: how long the message lives in a queue: 500ms, 90s, 2h")
      ->type_name("TIME");
}

std::string encode(const property_options& options) {
  properties set;
  set.content_type = options.content_type;
  set.correlation_id = options.correlation_id;
  set.reply_to = options.reply_to;
  set.message_id = options.message_id;
  set.type = options.type;
  set.app_id = options.app_id;
  set.priority = options.priority;
  std::string expiration;
  if (!options.expiration.empty()) {
    expiration = fmt::format("{}", taken("--ttl", parse_duration(options.expiration)).count());
    set.expiration = expiration;
  }
  return tidegate::encode(set);
}

struct publish_options {
  publish_arguments arguments;
  std::vector<std::string> headers;
  property_options properties;
  std::string body;
  std::size_t size = 0;
  std::string delay;
};

void add_publish_sources(CLI::App& command, publish_options& options) {
  command.add_option("BODY", options.body, "The message's body");
  command.add_option("--file", options.arguments.file, "Take the body from this file, - is standard input")
      ->type_name("FILE");
  command.add_flag("--lines", options.arguments.lines, "Each line of standard input is a message");
  command.add_option("--size", options.size, "Make bodies of this many bytes, for load")
      ->type_name("BYTES")
      ->check(CLI::Range(std::size_t{0}, limits::body_bytes));
  command.add_option("--count", options.arguments.count, "How many messages; not with --lines")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void add_publish_identity(CLI::App& command, publish_options& options, arguments& into) {
  command.add_option("--producer", into.connect.producer, "Producer id, for dropping duplicates")->type_name("ID");
  command.add_option("--epoch", into.connect.producer_epoch, "Its epoch: a higher one starts anew, a lower is refused")
      ->type_name("E")
      ->needs("--producer")
      ->capture_default_str();
  command.add_option("--first-sequence", options.arguments.first_sequence, "Sequence of the first message, from 1")
      ->type_name("N")
      ->needs("--producer")
      ->check(CLI::PositiveNumber);
}

void finish_publish(const CLI::App& command, publish_options& options, arguments& into) {
  publish_arguments& to = options.arguments;
  for (const std::string& header : options.headers) to.headers.push_back(split_pair("--header", header));
  to.properties = encode(options.properties);
  if (!options.delay.empty()) to.delay = taken("--delay", parse_duration(options.delay));
  if (command.count("BODY") > 0) to.body = options.body;
  if (command.count("--size") > 0) to.generated_bytes = options.size;
  const int sources = (to.body ? 1 : 0) + (to.file.empty() ? 0 : 1) + (to.lines ? 1 : 0) + (to.generated_bytes ? 1 : 0);
  if (sources != 1) throw CLI::ValidationError("publish", "needs one of BODY, --file, --lines and --size");
  if (to.lines && command.count("--count") > 0) throw CLI::ValidationError("--count", "has no meaning with --lines");
  into.command = std::move(to);
}

}  // namespace

void add_publish(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("publish", publish_description)->footer(publish_epilogue);
  const auto options = std::make_shared<publish_options>();
  add_publish_sources(command, *options);
  command.add_option("--exchange", options->arguments.exchange, "Exchange; none is the default exchange")
      ->type_name("NAME");
  command.add_option("--key", options->arguments.routing_key, "Routing key")->type_name("KEY");
  command
      .add_option("--partition-key", options->arguments.partition_key, "Messages with equal keys go to one partition")
      ->type_name("KEY");
  command.add_option("--header", options->headers, "A header; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  add_properties(command, options->properties);
  command.add_option("--delay", options->delay, "Route the message so much later: 500ms, 90s, 10m, 2h, 7d")
      ->type_name("TIME");
  command.add_flag(
      "--mandatory,!--no-mandatory", options->arguments.mandatory,
      "Count a message that no binding matches as failed, or let it be confirmed and discarded (mandatory)");
  command.add_option("--window", into.connect.publish_window, "Messages under way without a confirm")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_flag("--progress", options->arguments.progress,
                   "Print a line each second on standard error; the default on a terminal");
  add_publish_identity(command, *options, into);
  command.callback([&command, options, &into] { finish_publish(command, *options, into); });
}

// ------------------------------------------------------------------------------------------------------- consume

namespace {

constexpr const char* consume_description = "Take messages from a queue and print them, one a line";

constexpr const char* consume_epilogue =
    "Each message is acknowledged after it was printed, so it is printed at least once.\n"
    "Continues until --count, --idle-seconds or an interrupt. JSON has the members queue, tag, redelivered,\n"
    "delivery_count, routing_key, exchange, key, headers, timestamp_ms, body; bytes that are not UTF-8 come as\n"
    "body_base64.\n"
    "With --reject requeue no message is removed: messages return to their places when the command ends, marked\n"
    "as redelivered. At most --prefetch messages are shown, or --count.\n"
    "With --count the last messages are acknowledged together at the end, so that the broker sends none\n"
    "beyond the count; --auto-ack has no effect then. Fewer than the count, because nothing came\n"
    "for --idle-seconds or an interrupt ended it, is a failure and reported.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate consume work\n"
    "  tidegate consume work --count 10 --json\n"
    "  tidegate consume work --idle-seconds 1 --raw > bodies\n"
    "\n"
    "EXIT CODES\n"
    "  0  stopped as told, or by an interrupt without --count     1  failed, or fewer than --count     2  usage";

struct consume_options {
  consume_arguments arguments;
  double idle_seconds = 0;
  std::string reject;
};

void finish_consume(const CLI::App& command, consume_options& options, arguments& into) {
  consume_arguments& to = options.arguments;
  if (command.count("--idle-seconds") > 0) {
    to.idle = std::chrono::milliseconds(static_cast<std::int64_t>(options.idle_seconds * 1'000));
  }
  if (options.reject == "requeue") to.outcome = client::outcome::requeue;
  if (options.reject == "discard") to.outcome = client::outcome::discard;
  if (to.raw && into.json) throw CLI::ValidationError("--raw", "and --json exclude each other");
  into.command = std::move(to);
}

}  // namespace

void add_consume(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("consume", consume_description)->footer(consume_epilogue);
  const auto options = std::make_shared<consume_options>();
  command.add_option("QUEUE", options->arguments.queue, "The queue's name")->required();
  command.add_flag("--exclusive", options->arguments.exclusive, "Be the queue's only consumer, or fail");
  command.add_option("--priority", options->arguments.priority, "Consumers of a higher one come first")
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--prefetch", options->arguments.prefetch, "Messages under way; 0 is the broker's bound")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{0}, limits::prefetch_max))
      ->capture_default_str();
  command.add_option("--count", options->arguments.count, "Stop after this many")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--idle-seconds", options->idle_seconds, "Stop when nothing came for this long")
      ->type_name("S")
      ->check(CLI::Range(0.0, 1e6));
  CLI::Option* const auto_ack = command.add_flag("--auto-ack", options->arguments.auto_ack,
                                                 "The broker forgets what it sends: at most once, and faster");
  command.add_option("--reject", options->reject, "Instead of acknowledging")
      ->type_name("requeue|discard")
      ->check(CLI::IsMember({"requeue", "discard"}))
      ->excludes(auto_ack);
  command.add_flag("--raw", options->arguments.raw, "Only the body and a line end");
  command.callback([&command, options, &into] { finish_consume(command, *options, into); });
}

// ---------------------------------------------------------------------------------------------- request and reply

namespace {

struct request_options {
  request_arguments arguments;
  std::string timeout;
};

}  // namespace

void add_request(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("request", "Publish a request and print the reply");
  command.footer(
      "The reply comes straight to this connection, without a queue (reply_to is amq.rabbitmq.reply-to).\n"
      "\n"
      "EXAMPLES\n"
      "  tidegate request settings 'interval of pump-7?'\n"
      "  tidegate request plant.1 status --exchange commands --timeout 2s --raw\n"
      "\n"
      "EXIT CODES\n"
      "  0  a reply came     1  none came in time, or nothing takes the request     2  usage");
  const auto options = std::make_shared<request_options>();
  command.add_option("KEY", options->arguments.routing_key, "Routing key: with the default exchange, a queue's name")
      ->required();
  command.add_option("BODY", options->arguments.body, "The request's body")->required();
  command.add_option("--exchange", options->arguments.exchange, "Exchange; none is the default exchange")
      ->type_name("NAME");
  command.add_option("--timeout", options->timeout, "How long to wait for the reply: 500ms, 90s, 2h (default 5s)")
      ->type_name("TIME");
  command.add_flag("--raw", options->arguments.raw, "Print the body only");
  command.callback([options, &into] {
    request_arguments& to = options->arguments;
    if (!options->timeout.empty()) to.timeout = taken("--timeout", parse_duration(options->timeout));
    if (to.raw && into.json) throw CLI::ValidationError("--raw", "and --json exclude each other");
    into.command = std::move(to);
  });
}

void add_reply(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("reply", "Answer the requests that come to a queue");
  command.footer(
      "Prints each request and sends BODY, or the request's own body, to where its property reply_to says, with its\n"
      "correlation id. Continues until --count or an interrupt.\n"
      "\n"
      "EXAMPLES\n"
      "  tidegate reply settings '10 s'\n"
      "  tidegate reply echo\n"
      "\n"
      "EXIT CODES\n"
      "  0  stopped as told, or by an interrupt without --count     1  failed, or fewer than --count     2  usage");
  const auto arguments = std::make_shared<reply_arguments>();
  command.add_option("QUEUE", arguments->queue, "Queue of requests")->required();
  command.add_option("BODY", arguments->body, "The body of each reply; none sends the request's back");
  command.add_option("--count", arguments->count, "Stop after this many")->type_name("N")->check(CLI::PositiveNumber);
  command.callback([arguments, &into] { into.command = *arguments; });
}

// ---------------------------------------------------------------------------------------------- tail and offsets

namespace {

constexpr const char* tail_description = "Print a topic's records, one a line; reading takes nothing away";

constexpr const char* tail_epilogue =
    "--from takes start, end, an offset, a time back from now (-30s, -10m, -2h, -7d), or an ISO 8601 time\n"
    "(2024-05-01T12:00:00Z; without a zone it is UTC): the first record at or after it.\n"
    "Without --follow it ends at what was the end at its start, partition after partition; with it the\n"
    "partitions run side by side until --count or an interrupt.\n"
    "With --group reading starts at the group's committed offset (at --from if it has none), and the offset is\n"
    "committed after printing.\n"
    "Records of compressed batches (gzip, snappy, lz4, zstd) are shown as others; damaged ones are named and\n"
    "skipped.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate tail readings\n"
    "  tidegate tail readings --from -10m --follow\n"
    "  tidegate tail readings --partition 2 --from 1000 --count 10 --json\n"
    "  tidegate tail readings --group audit --follow\n"
    "\n"
    "EXIT CODES\n"
    "  0  all was shown, or an interrupt ended --follow without --count\n"
    "  1  failed, or records were passed over, or an interrupt ended it before all was shown     2  usage";

struct tail_options {
  tail_arguments arguments;
  std::string from = "start";
};

constexpr const char* offsets_description = "Show where a topic begins and ends and where a group stands, or move it";

constexpr const char* offsets_epilogue =
    "EXAMPLES\n"
    "  tidegate offsets readings\n"
    "  tidegate offsets readings --group audit\n"
    "  tidegate offsets readings --group audit --set start            read all again\n"
    "  tidegate offsets readings --group audit --partition 1 --set 5000\n"
    "\n"
    "EXIT CODES\n"
    "  0  done     1  failed, or an offset outside of what is retained     2  usage";

struct offsets_options {
  offsets_arguments arguments;
  std::string set;
};

}  // namespace

void add_tail(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("tail", tail_description)->footer(tail_epilogue);
  const auto options = std::make_shared<tail_options>();
  command.add_option("TOPIC", options->arguments.topic, "The topic's name")->required();
  command.add_option("--partition", options->arguments.partition, "Only this one")->type_name("P");
  command.add_option("--from", options->from, "Where to begin")->type_name("WHERE")->capture_default_str();
  command.add_flag("--follow", options->arguments.follow, "Wait for more at the end");
  command.add_option("--count", options->arguments.count, "Stop after this many")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command.add_option("--group", options->arguments.group, "Begin at and commit this consumer group's offsets")
      ->type_name("NAME");
  command.callback([options, &into] {
    options->arguments.from = taken_moment("--from", options->from);
    into.command = std::move(options->arguments);
  });
}

void add_offsets(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("offsets", offsets_description)->footer(offsets_epilogue);
  const auto options = std::make_shared<offsets_options>();
  command.add_option("TOPIC", options->arguments.topic, "The topic's name")->required();
  command.add_option("--partition", options->arguments.partition, "Only this one")->type_name("P");
  CLI::Option* const group =
      command.add_option("--group", options->arguments.group, "A consumer group")->type_name("NAME");
  command.add_option("--set", options->set, "Move the group there: as --from of tail")
      ->type_name("WHERE")
      ->needs(group);
  command.callback([&command, options, &into] {
    if (command.count("--set") > 0) options->arguments.set = taken_moment("--set", options->set);
    into.command = std::move(options->arguments);
  });
}

}  // namespace tidegate::tool
