#include "broker/base/limits.hpp"
#include "broker/model/durability.hpp"
#include "broker/model/field_table.hpp"
#include "client/tool/command_words.hpp"

namespace tidegate::tool {
namespace {

constexpr const char* exit_codes =
    "\n"
    "EXIT CODES\n"
    "  0  done     1  failed     2  usage";

constexpr const char* status_words =
    "Commits: commit_linger_ms is configured, commit_linger_in_force_ms is the linger after the flash budget;\n"
    "commits_per_second and commit_wait_* (how long callers were delayed by the pace) are of the last ten\n"
    "seconds. Flash: bytes are what the kernel counts for the broker's process; a day is 24 hours\n"
    "of its running, and the projection is of this one and the one before. \"unknown\": cannot be measured\n"
    "here, or not yet. flash_budget is off, kept, stretching, exceeded or unknown. Memory: what queues and\n"
    "topics of durability memory take, and the records that their bounds dropped since the start; drops in\n"
    "memory are not in the loss ledger.\n"
    "\n"
    "EXIT CODES\n"
    "  0  done     1  failed     2  usage";

const CLI::IsMember target_kinds({"queue", "topic", "exchange"});

void add_passive(CLI::App& command, declare_arguments& arguments) {
  command.add_flag("--passive", arguments.passive, "Only check that it exists");
}

void add_overflow(CLI::App& command, std::string& overflow, const std::vector<std::string>& modes) {
  command.add_option("--overflow", overflow, "At a bound; a new one has drop-oldest, and the loss ledger tells")
      ->type_name(fmt::format("{}", fmt::join(modes, "|")))
      ->check(CLI::IsMember(modes));
}

void add_declare_exchange(CLI::App& declare, arguments& into) {
  CLI::App& command = *declare.add_subcommand("exchange", "Where messages are published: bindings route them from it");
  const auto arguments = std::make_shared<declare_arguments>();
  client::exchange_definition& exchange = arguments->exchange;
  command.add_option("NAME", exchange.name, "Its name")->required();
  command.add_option("--type", exchange.type, "How bindings match")
      ->type_name("direct|fanout|topic|headers")
      ->check(CLI::IsMember({"direct", "fanout", "topic", "headers"}))
      ->capture_default_str();
  command.add_flag("--auto-delete", exchange.auto_delete, "Delete it with its last binding");
  command.add_flag("--internal", exchange.internal, "Let it take messages from other exchanges only");
  command.add_option("--alternate", exchange.alternate, "Exchange for what no binding matches")->type_name("NAME");
  add_passive(command, *arguments);
  command.callback([arguments, &into] {
    arguments->kind = "exchange";
    into.command = *arguments;
  });
}

struct bound_options {
  declare_arguments arguments;
  std::string bytes;
  std::string age;
  // Of a queue, by option.
  std::map<std::string, std::string> times;
};

// Attributes of a queue that are times: 90s, 10m, 2h, 7d.
std::optional<std::chrono::milliseconds>* time_of(client::queue_definition& queue, std::string_view option) {
  if (option == "--ttl") return &queue.time_to_live;
  if (option == "--expires") return &queue.expires;
  if (option == "--retry-delay") return &queue.retry_delay;
  return &queue.retry_delay_max;
}

void add_queue_rules(CLI::App& command, bound_options& options) {
  client::queue_definition& queue = options.arguments.queue;
  const auto add_time = [&](const char* option, const char* meaning) {
    command.add_option(option, options.times[option], meaning)->type_name("TIME");
  };
  add_time("--ttl", "How long a message lives here (for ever): 500ms, 90s, 10m, 2h, 7d");
  add_time("--expires", "Delete the queue when it was not used for so long (never)");
  command
      .add_option("--dead-letter-exchange", queue.dead_letter_exchange,
                  "Exchange for what dies here; '' is the default exchange (what dies is gone)")
      ->type_name("NAME");
  command.add_option("--dead-letter-key", queue.dead_letter_key, "Routing key of what dies here (its own)")
      ->type_name("KEY");
  command.add_option("--delivery-limit", queue.delivery_limit, "A message returned more often dies (20; 0 = no limit)")
      ->type_name("N");
  command.add_option("--priority-max", queue.priority_max, "Messages have priorities from 0 to this (0)")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{0}, limits::priority_max));
  add_time("--retry-delay", "A message that is returned waits so long, times the number of its returns");
  add_time("--retry-delay-max", "It waits no longer than this");
}

void add_declare_queue(CLI::App& declare, arguments& into) {
  CLI::App& command = *declare.add_subcommand("queue", "Work for competing consumers, gone when acknowledged");
  const auto options = std::make_shared<bound_options>();
  client::queue_definition& queue = options->arguments.queue;
  command.add_option("NAME", queue.name, "Its name")->required();
  command.add_option("--messages-max", queue.messages_max, "Bound of ready messages (no bound)")->type_name("N");
  command.add_option("--bytes-max", options->bytes, "Bound of the bodies of ready messages (no bound)")
      ->type_name("N[K|M|G]");
  add_overflow(command, queue.overflow, {"drop-oldest", "reject", "reject-dead-letter"});
  command.add_flag("--auto-delete", queue.auto_delete, "Delete it when its last consumer ends");
  command.add_flag("--single-active", queue.single_active,
                   "Give messages to one consumer at a time; another follows when it ends");
  add_queue_rules(command, *options);
  add_durability(command, queue.durability);
  add_passive(command, options->arguments);
  command.callback([options, &into] {
    for (const auto& [option, time] : options->times) {
      if (time.empty()) continue;
      *time_of(options->arguments.queue, option) = taken(option.c_str(), parse_duration(time));
    }
    if (!options->bytes.empty()) {
      options->arguments.queue.bytes_max = taken("--bytes-max", parse_bytes(options->bytes));
    }
    options->arguments.kind = "queue";
    into.command = options->arguments;
  });
}

void add_declare_topic(CLI::App& declare, arguments& into) {
  CLI::App& command = *declare.add_subcommand("topic", "A log that is kept and may be read again");
  const auto options = std::make_shared<bound_options>();
  command.add_option("NAME", options->arguments.topic.name, "Its name")->required();
  command.add_option("--partitions", options->arguments.topic.partitions, "How many; may grow later")
      ->type_name("N")
      ->check(CLI::Range(std::uint32_t{1}, limits::partitions_per_topic))
      ->capture_default_str();
  command.add_option("--retention-bytes", options->bytes, "A hard bound of each partition (broker's default)")
      ->type_name("N[K|M|G]");
  command.add_option("--retention-age", options->age, "How long records are kept (no bound): 90s, 10m, 2h, 7d")
      ->type_name("AGE");
  command
      .add_option("--retention-records", options->arguments.topic.retention_records,
                  "A hard bound of each partition (none)")
      ->type_name("N");
  add_overflow(command, options->arguments.topic.overflow, {"drop-oldest", "reject"});
  command
      .add_option("--protect", options->arguments.topic.protect,
                  "A group whose unread records are discarded last; repeatable")
      ->type_name("GROUP");
  add_durability(command, options->arguments.topic.durability);
  add_passive(command, options->arguments);
  command.callback([options, &into] {
    client::topic_definition& topic = options->arguments.topic;
    if (!options->bytes.empty()) topic.retention_bytes = taken("--retention-bytes", parse_bytes(options->bytes));
    if (!options->age.empty()) topic.retention_age = taken("--retention-age", parse_duration(options->age));
    options->arguments.kind = "topic";
    into.command = options->arguments;
  });
}

void add_binding(CLI::App& command, bool remove, arguments& into) {
  const auto arguments = std::make_shared<binding_arguments>();
  arguments->remove = remove;
  client::binding_definition& binding = arguments->binding;
  command.add_option("EXCHANGE", binding.exchange, "The exchange's name")->required();
  command.add_option("KIND", binding.target_kind, "queue, topic or exchange")->required()->check(target_kinds);
  command.add_option("NAME", binding.target, "The target's name")->required();
  command.add_option("KEY", binding.routing_key, "Routing key or pattern; a fanout or headers exchange needs none");
  const auto headers = std::make_shared<std::vector<std::string>>();
  const auto match = std::make_shared<std::string>();
  command.add_option("--header", *headers, "For a headers exchange: a header that messages need; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command.add_option("--match", *match, "For a headers exchange: whether all headers are needed or any (all)")
      ->type_name("all|any|all-with-x|any-with-x")
      ->check(CLI::IsMember({"all", "any", "all-with-x", "any-with-x"}));
  command.callback([arguments, headers, match, &into] {
    std::string& table = arguments->binding.arguments;
    for (const std::string& header : *headers) {
      const auto [name, value] = split_pair("--header", header);
      append_text(table, name, value);
    }
    if (!match->empty()) append_text(table, "x-match", *match);
    into.command = *arguments;
  });
}

}  // namespace

void add_durability(CLI::App& command, std::string& into) {
  command
      .add_option("--durability", into,
                  "When it is written: at once; with the next commit, but after <ms> at the latest; or never")
      ->type_name("commit|interval:<ms>|memory")
      ->check([](const std::string& text) {
        const auto parsed = parse_durability(text);
        return parsed ? std::string() : parsed.error().text;
      });
}

void add_declare(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("declare", "Make an exchange, a queue or a topic");
  command.require_subcommand(1);
  command.footer(
      std::string(
          "Repeating it with the same attributes does nothing.\n"
          "A confirm comes after the commit; an interval only delays the commit. With durability memory\n"
          "messages are held in the broker's memory alone: confirmed at once, never written, and gone when it\n"
          "stops or is killed. The definition, bindings and groups' offsets stay. Durability cannot be changed later.\n"
          "\n"
          "EXAMPLES\n"
          "  tidegate declare exchange readings --type topic --alternate unmatched\n"
          "  tidegate declare queue work\n"
          "  tidegate declare queue history --durability interval:1000\n"
          "  tidegate declare topic live --durability memory --retention-bytes 2M\n"
          "  tidegate declare queue alarms --messages-max 10000 --overflow reject\n"
          "  tidegate declare topic readings --partitions 3 --retention-bytes 64M --retention-age 7d\n") +
      exit_codes);
  add_declare_exchange(command, into);
  add_declare_queue(command, into);
  add_declare_topic(command, into);
}

void add_bind(CLI::App& app, arguments& into) {
  CLI::App& bind = *app.add_subcommand("bind", "Route messages of an exchange to a queue, a topic or an exchange");
  bind.footer(std::string("In keys of a topic exchange, * is one word and # any number of words.\n"
                          "\n"
                          "EXAMPLES\n"
                          "  tidegate bind readings topic log '#'\n"
                          "  tidegate bind readings exchange archive 'plant.#'\n"
                          "  tidegate bind amq.headers queue alarms --header level=high --header plant=a\n"
                          "  tidegate bind readings queue alarms 'plant.*.alarm'\n") +
              exit_codes);
  add_binding(bind, false, into);
  CLI::App& unbind = *app.add_subcommand("unbind", "Remove a binding; one that is not there is no failure");
  unbind.footer(std::string("Its line says whether there was such a binding.\n"
                            "\n"
                            "EXAMPLES\n"
                            "  tidegate unbind readings queue alarms 'plant.*.alarm'\n") +
                exit_codes);
  add_binding(unbind, true, into);
}

void add_delete(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("delete", "Delete an exchange, a queue or a topic, with what is in it");
  command.footer(std::string("One that does not exist is a failure.\n"
                             "\n"
                             "EXAMPLES\n"
                             "  tidegate delete queue work\n") +
                 exit_codes);
  const auto arguments = std::make_shared<delete_arguments>();
  command.add_option("KIND", arguments->kind, "exchange, queue or topic")
      ->required()
      ->check(CLI::IsMember({"exchange", "queue", "topic"}));
  command.add_option("NAME", arguments->name, "Its name")->required();
  command.add_flag("--if-unused", arguments->conditions.if_unused,
                   "Refuse if the exchange has bindings, or the queue consumers");
  command.add_flag("--if-empty", arguments->conditions.if_empty, "Refuse if a message of the queue is ready");
  command.callback([arguments, &into] { into.command = *arguments; });
}

void add_export(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("export", "Print all definitions as one JSON document");
  command.footer(std::string("Exchanges, queues, topics and bindings, without messages, and without what the broker\n"
                             "makes by itself or one connection has for itself. For messages: tidegate store export.\n"
                             "\n"
                             "EXAMPLES\n"
                             "  tidegate export > definitions.json\n") +
                 exit_codes);
  command.callback([&into] { into.command = export_arguments{}; });
}

void add_import(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("import", "Declare all of a JSON document, with one commit, or nothing");
  command.footer(std::string("The document is as export prints it; members that are left out have their defaults.\n"
                             "What exists with the same attributes stays; what exists with others refuses all of it.\n"
                             "\n"
                             "EXAMPLES\n"
                             "  tidegate import definitions.json\n"
                             "  tidegate import --check definitions.json        says what it would make\n") +
                 exit_codes);
  const auto arguments = std::make_shared<import_arguments>();
  command.add_option("FILE", arguments->file, "The document; - is standard input")->required();
  command.add_flag("--check", arguments->only_check, "Check it and declare nothing");
  command.callback([arguments, &into] { into.command = *arguments; });
}

void add_list(CLI::App& app, arguments& into) {
  CLI::App& list = *app.add_subcommand("list", "List what the broker has, as a table or with --json as an array");
  list.footer(
      std::string(
          "Rows come in the order of their names or numbers, a page at a time: what exists from the beginning to\n"
          "the end is listed once, whatever is declared or deleted meanwhile. A table's columns are as wide as\n"
          "the pages so far need, so a later page may be wider. A list that ends early says so and fails; with\n"
          "--json it is an array all the same.\n"
          "\n"
          "EXAMPLES\n"
          "  tidegate list queues\n"
          "  tidegate list bindings --queue work\n"
          "  tidegate list topics --json\n"
          "  tidegate list losses\n") +
      exit_codes);
  const auto arguments = std::make_shared<list_arguments>();
  list.add_option("KIND", arguments->kind, "exchanges, bindings, queues, topics, groups, losses or connections")
      ->required()
      ->check(CLI::IsMember({"exchanges", "bindings", "queues", "topics", "groups", "losses", "connections"}));
  list.add_option("--queue", arguments->queue, "Of bindings, only those to this queue")->type_name("NAME");
  list.callback([arguments, &into] {
    if (!arguments->queue.empty() && arguments->kind != "bindings") {
      throw CLI::ValidationError("--queue", "goes with bindings only");
    }
    into.command = *arguments;
  });
  CLI::App& status = *app.add_subcommand("status", "Show the broker's state and counters");
  status.footer(status_words);
  status.callback([&into] { into.command = list_arguments{"status"}; });
}

}  // namespace tidegate::tool
