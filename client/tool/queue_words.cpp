#include "client/tool/command_words.hpp"

namespace tidegate::tool {

void add_get(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("get", "Take the next message of a queue, without waiting for one");
  command.footer(
      "The message is acknowledged after it was printed. With --reject requeue it returns to its place, marked as\n"
      "redelivered; with --reject discard the queue drops it.\n"
      "\n"
      "EXAMPLES\n"
      "  tidegate get work\n"
      "  tidegate get work --count 10 --json\n"
      "\n"
      "EXIT CODES\n"
      "  0  as many as asked for     1  fewer were ready, or failed     2  usage");
  const auto arguments = std::make_shared<get_arguments>();
  const auto reject = std::make_shared<std::string>();
  command.add_option("QUEUE", arguments->queue, "The queue's name")->required();
  command.add_option("--count", arguments->count, "How many messages")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--reject", *reject, "Do not acknowledge: requeue puts them back, discard drops them")
      ->type_name("requeue|discard")
      ->check(CLI::IsMember({"requeue", "discard"}));
  command.add_flag("--raw", arguments->raw, "Print the bodies only");
  command.callback([arguments, reject, &into] {
    if (*reject == "requeue") arguments->outcome = client::outcome::requeue;
    if (*reject == "discard") arguments->outcome = client::outcome::discard;
    if (arguments->raw && into.json) throw CLI::ValidationError("--raw", "and --json exclude each other");
    into.command = *arguments;
  });
}

namespace {

void add_move_count(CLI::App& command, move_arguments& arguments) {
  command.add_option("--count", arguments.count, "How many at most (all that are ready now)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_move(CLI::App& app, arguments& into) {
  CLI::App& command =
      *app.add_subcommand("move", "Move a queue's messages to another queue")
           ->footer(
               "Each message is in one of the two queues at any time: transactions of up to 100\n"
               "messages move them, in their order, through the default exchange. A target with bounds\n"
               "follows its overflow: one that drops its oldest drops them.\n"
               "\n"
               "EXAMPLES\n"
               "  tidegate move failed --to work\n"
               "  tidegate move failed --to work --count 10\n"
               "\n"
               "EXIT CODES\n"
               "  0  done     1  failed: what is left stays in the queue     2  usage");
  const auto arguments = std::make_shared<move_arguments>();
  command.add_option("QUEUE", arguments->queue, "From this queue")->required();
  command.add_option("--to", arguments->to, "To this one")->type_name("QUEUE")->required()->check([](const auto& name) {
    return name.empty() ? std::string("a queue has a name") : std::string();
  });
  add_move_count(command, *arguments);
  command.callback([arguments, &into] { into.command = *arguments; });
}

void add_requeue(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("requeue", "Publish dead letters again to where they came from")
                           ->footer(
                               "Each dead letter of the queue goes to the exchange and the routing key that it had\n"
                               "before it died last, in transactions of up to 100 messages. Messages that never died\n"
                               "stay.\n"
                               "\n"
                               "EXAMPLES\n"
                               "  tidegate requeue failed\n"
                               "\n"
                               "EXIT CODES\n"
                               "  0  done     1  failed: what is left stays in the queue     2  usage");
  const auto arguments = std::make_shared<move_arguments>();
  command.add_option("QUEUE", arguments->queue, "Queue of dead letters")->required();
  add_move_count(command, *arguments);
  command.callback([arguments, &into] { into.command = *arguments; });
}

void add_peek(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("peek", "Show the first messages of a queue, and change nothing");
  command.footer(
      "Messages stay as they are: consumers get them as if nobody had looked. Those that a consumer has and has not\n"
      "acknowledged are not shown.\n"
      "\n"
      "EXAMPLES\n"
      "  tidegate peek work\n"
      "  tidegate peek work --count 1000 --json\n"
      "\n"
      "EXIT CODES\n"
      "  0  done, also if there are fewer     1  failed     2  usage");
  const auto arguments = std::make_shared<peek_arguments>();
  command.add_option("QUEUE", arguments->queue, "The queue's name")->required();
  command.add_option("--count", arguments->count, "How many messages at most")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("--raw", arguments->raw, "Print the bodies only");
  command.callback([arguments, &into] {
    if (arguments->raw && into.json) throw CLI::ValidationError("--raw", "and --json exclude each other");
    into.command = *arguments;
  });
}

void add_purge(CLI::App& app, arguments& into) {
  CLI::App& command = *app.add_subcommand("purge", "Discard the messages that are ready in a queue");
  command.footer(
      "Messages that a consumer has and has not acknowledged stay. Prints how many were discarded.\n"
      "\n"
      "EXAMPLES\n"
      "  tidegate purge work\n"
      "\n"
      "EXIT CODES\n"
      "  0  done     1  failed     2  usage");
  const auto arguments = std::make_shared<purge_arguments>();
  command.add_option("QUEUE", arguments->queue, "The queue's name")->required();
  command.callback([arguments, &into] { into.command = *arguments; });
}

}  // namespace tidegate::tool
