#include <fmt/format.h>

#include "broker/base/limits.hpp"
#include "client/tool/bench/body.hpp"
#include "client/tool/command_words.hpp"

namespace tidegate::tool {
namespace {

constexpr const char* bench_epilogue =
    "Makes what it needs under names that begin with bench. and are the run's own, loads the broker, removes\n"
    "them, and prints what it saw. It writes to flash as any load does.\n"
    "\n"
    "With --rate the loop is open: every message has its time to leave, fixed in advance, and its latency counts\n"
    "from then, however late it really left. So a stall shows in every message that should have left meanwhile\n"
    "(coordinated omission is corrected). What was due at the end and had not left is told as unsent. Records\n"
    "have their batch's time.\n"
    "Without it the loop is closed: as fast as the window lets it. Latency is then the service time under that\n"
    "window, counted from when a message is handed to the connection; it says nothing about messages that would\n"
    "have come while the window was full, and is not corrected for them.\n"
    "\n"
    "Totals count the whole run; what is per second, and latency, only the time after --warmup, second by second.\n"
    "Latency is in milliseconds, within 1 %. A generator thread near 100 % of a core has shown its own limit, not\n"
    "the broker's: try --threads 2.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate bench queue --rate 5000 --verify\n"
    "  tidegate bench queue --consumers 0 --window 1 --reference /var/lib/tidegate\n"
    "  tidegate bench topic --partitions 4 --batch 500 --seconds 30 --json\n"
    "  tidegate bench mixed --rate 1000 --topic-rate 20000\n"
    "\n"
    "tidegate bench KIND --help tells each one's options.";

constexpr const char* exit_codes =
    "A broker that goes away, and an interrupt, end the run with what was seen so far.\n"
    "\n"
    "EXIT CODES\n"
    "  0  done, or an interrupt: everything confirmed; with --verify everything there, once, whole, in order\n"
    "  1  failed: something was refused or stayed unconfirmed, the connection ended, or --verify found a breach\n"
    "  2  usage";

struct bench_options {
  bench_arguments arguments;
  double seconds = 10;
  double warmup = 1;
  std::string retention;
};

// The options of one kind, added to its command one group after the other.
class kind_words {
 public:
  kind_words(CLI::App& bench, arguments& into, bench_kind kind, const char* name, const char* description)
      : command_(*bench.add_subcommand(name, description)), options_(std::make_shared<bench_options>()) {
    options_->arguments.kind = kind;
    command_.footer(exit_codes);
    command_.callback([&command = command_, options = options_, &into] { finish(command, *options, into); });
  }

  bench_arguments& given() { return options_->arguments; }

  template <class Value>
  CLI::Option* number(const char* name, Value& value, const char* description, Value least, Value most,
                      const char* type = "N") {
    return command_.add_option(name, value, description)
        ->type_name(type)
        ->check(CLI::Range(least, most))
        ->capture_default_str();
  }

  kind_words& load(const char* publishers, const char* consumers, std::size_t consumers_min) {
    number("--connections", given().connections, publishers, std::size_t{1}, connections_max);
    number("--consumers", given().consumers, consumers, consumers_min, connections_max);
    number("--threads", given().threads, "Of the generator", std::size_t{1}, std::size_t{64});
    number("--size", given().size, "Bytes of a body", std::size_t{0}, limits::body_bytes, "BYTES");
    number("--seconds", options_->seconds, "How long it measures", 0.1, seconds_max, "S");
    number("--warmup", options_->warmup, "Seconds before it measures; 0 with --messages", 0.0, seconds_max, "S");
    add_durability(command_, given().topic.durability);
    return *this;
  }

  kind_words& rate(const char* description = "Messages a second of all connections: open loop") {
    number("--rate", given().rate, description, 0.0, 1e9, "R")->default_str("none: closed loop");
    return *this;
  }

  kind_words& messages(const char* description) {
    command_.add_option("--messages", given().messages, description)->type_name("N")->check(CLI::PositiveNumber);
    return *this;
  }

  kind_words& window(std::size_t standard, const char* description) {
    given().window = standard;
    number("--window", given().window, description, std::size_t{1}, limits::publishes_unsettled);
    return *this;
  }

  kind_words& queues(std::size_t standard, const char* description) {
    given().queues = standard;
    number("--queues", given().queues, description, std::size_t{1}, targets_max);
    return *this;
  }

  kind_words& prefetch() {
    number("--prefetch", given().prefetch, "Messages a consumer has unacknowledged", std::uint32_t{1},
           limits::prefetch_max);
    return *this;
  }

  kind_words& topics(const char* description) {
    number("--topics", given().topics, description, std::size_t{0}, targets_max);
    return retention();
  }

  kind_words& partitions() {
    given().topics = 1;
    number("--partitions", given().partitions, "Of the topic", std::uint32_t{1}, std::uint32_t{256});
    number("--batch", given().batch, "Records a batch", std::size_t{1}, std::size_t{100'000});
    return retention();
  }

  kind_words& checks() {
    command_.add_flag("--verify", given().verify,
                      "Check that everything confirmed comes, once, in order, and whole (CRC-32C)");
    command_.add_flag("--keep", given().keep, "Leave the queues and topics that it made, and what is in them");
    command_
        .add_option("--reference", given().reference,
                    "Append + fdatasync as many bytes as are under way, in this directory, before and after")
        ->type_name("DIRECTORY");
    command_.add_flag("--progress", given().progress,
                      "Print a line each second on standard error; the default on a terminal");
    return *this;
  }

  CLI::App& command() { return command_; }

 private:
  static constexpr std::size_t connections_max = 400, targets_max = 1'000;
  static constexpr double seconds_max = 86'400;

  kind_words& retention() {
    command_.add_option("--retention-bytes", options_->retention, "A hard bound of each partition (broker's default)")
        ->type_name("N[K|M|G]");
    return *this;
  }

  static void finish(const CLI::App& command, bench_options& options, arguments& into);

  CLI::App& command_;
  std::shared_ptr<bench_options> options_;
};

void check_sizes(const bench_arguments& asked) {
  const bool needs_stamp = asked.verify || asked.kind == bench_kind::request;
  if (needs_stamp && asked.size < bench::stamped_bytes_min) {
    throw CLI::ValidationError(
        "--size", fmt::format("has to be {} at least, to carry sequence, time and CRC", bench::stamped_bytes_min));
  }
  constexpr std::size_t record_overhead = 24;
  const bool makes_batches = asked.topics > 0 && asked.kind != bench_kind::fanout;
  if (makes_batches && asked.batch * (asked.size + record_overhead) > limits::batch_bytes) {
    throw CLI::ValidationError("--batch",
                               fmt::format("and --size make a batch of more than {} bytes", limits::batch_bytes));
  }
  const std::size_t targets = std::max<std::size_t>(1, asked.queues + asked.topics);
  if (asked.kind == bench_kind::fanout && asked.size * targets > limits::fan_out_bytes) {
    throw CLI::ValidationError("--size",
                               fmt::format("times the queues and topics is more than {} bytes", limits::fan_out_bytes));
  }
  if (asked.priorities > 1 && asked.verify) {
    throw CLI::ValidationError("--priorities", "and --verify exclude each other: it knows one order");
  }
  if (!asked.topic.name.empty() && asked.verify) {
    throw CLI::ValidationError("--topic", "and --verify exclude each other: it knows only what it made itself");
  }
}

void kind_words::finish(const CLI::App& command, bench_options& options, arguments& into) {
  bench_arguments& to = options.arguments;
  const auto milliseconds = [](double seconds) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1'000));
  };
  const bool counts = to.messages && to.kind != bench_kind::fetch;
  to.time = milliseconds(counts && command.count("--seconds") == 0 ? seconds_max : options.seconds);
  to.warmup = milliseconds(counts && command.count("--warmup") == 0 ? 0 : options.warmup);
  if (!options.retention.empty()) to.topic.retention_bytes = taken("--retention-bytes", parse_bytes(options.retention));
  if (to.verify && to.consumers == 0) {
    if (command.count("--consumers") > 0) throw CLI::ValidationError("--verify", "needs consumers");
    to.consumers = 1;
  }
  check_sizes(to);
  into.connect.publish_window = limits::publishes_unsettled;
  into.command = std::move(to);
}

void add_queue(CLI::App& bench, arguments& into) {
  kind_words words(bench, into, bench_kind::queue, "queue", "Publish, deliver and acknowledge through work queues");
  words.load("Publishers, each on a connection", "Consumers, each on a connection; 0 leaves all in the queues", 0)
      .rate()
      .messages("Stop after so many in all")
      .window(1'000, "Messages unconfirmed on a connection")
      .queues(1, "Spread over so many")
      .prefetch()
      .checks();
  bench_arguments& given = words.given();
  words.number("--priorities", given.priorities, "The messages have so many priorities in turn", std::uint32_t{0},
               limits::priority_max + 1);
  words.command()
      .add_option_function<std::string>(
          "--ttl", [&given](const std::string& text) { given.time_to_live = taken("--ttl", parse_duration(text)); },
          "Each message lives so long: 500ms, 90s, 2h")
      ->type_name("TIME");
  words.command().add_flag("--dead-letters", given.dead_letters, "What dies goes to a queue of dead letters");
  words.command().add_flag("--discard", given.discards, "Consumers discard each message instead of acknowledging it");
}

void add_topic(CLI::App& bench, arguments& into) {
  kind_words words(bench, into, bench_kind::topic, "topic", "Produce record batches into a topic's partitions");
  words.given().consumers = 0;
  words.load("Producers, each on a connection", "Readers that follow (with --verify 1)", 0)
      .rate("Records a second of all connections: open loop")
      .messages("Stop after so many records in all, in whole batches")
      .window(1, "Batches unconfirmed on a connection")
      .partitions()
      .checks();
}

void add_fetch(CLI::App& bench, arguments& into) {
  kind_words words(bench, into, bench_kind::fetch, "fetch", "Read what a topic holds, again and again");
  words.load("Producers that fill it, each on a connection", "Readers of the whole topic, each on a connection", 1)
      .messages("Records to fill it with (default 1000000)")
      .partitions()
      .checks();
  words.command()
      .add_option("--topic", words.given().topic.name, "Read this one that exists, fill none")
      ->type_name("NAME");
}

void add_fanout(CLI::App& bench, arguments& into) {
  kind_words(bench, into, bench_kind::fanout, "fanout", "Publish once into many queues and topics, in one commit")
      .load("Publishers, each on a connection", "Connections that consume, each its share of the queues", 0)
      .rate()
      .messages("Stop after so many in all")
      .window(1'000, "Messages unconfirmed on a connection")
      .queues(4, "That each message goes to")
      .topics("That it goes to as well, of one partition each")
      .prefetch()
      .checks();
}

void add_requests(CLI::App& bench, arguments& into) {
  kind_words words(bench, into, bench_kind::request, "request",
                   "Requests through a queue, replies through the asker's own");
  words.load("Clients, each with a queue for its replies", "Servers, each on a connection", 1)
      .rate("Requests a second of all clients: open loop")
      .messages("Stop after so many requests in all")
      .window(1, "Requests unanswered of a client")
      .queues(1, "Of requests, taken in turn")
      .prefetch()
      .checks();
  words.command().add_flag("--direct", words.given().direct, "Replies go to the client without a queue");
}

void add_mixed(CLI::App& bench, arguments& into) {
  kind_words words(bench, into, bench_kind::mixed, "mixed", "Queues and a followed topic at once");
  words.load("Publishers, and as many producers", "Consumers, and as many readers", 1)
      .rate("Messages a second into the queues: open loop")
      .window(1'000, "Messages unconfirmed on a connection; of batches it is 1")
      .queues(1, "Spread over so many")
      .prefetch()
      .partitions()
      .checks();
  words.number("--topic-rate", words.given().topic_rate, "Records a second into the topic: open loop", 0.0, 1e9, "R")
      ->default_str("none: closed loop");
}

}  // namespace

void add_bench(CLI::App& app, arguments& into) {
  CLI::App& bench =
      *app.add_subcommand("bench", "Load the broker and measure: rates, latency, and checks of every message");
  bench.require_subcommand(1);
  bench.footer(bench_epilogue);
  add_queue(bench, into);
  add_topic(bench, into);
  add_fetch(bench, into);
  add_fanout(bench, into);
  add_requests(bench, into);
  add_mixed(bench, into);
}

}  // namespace tidegate::tool
