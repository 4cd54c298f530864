#include "client/tool/command_line.hpp"

#include <fmt/format.h>

#include <iostream>

#include "client/tool/command_words.hpp"

namespace tidegate::tool {
namespace {

constexpr const char* description =
    "Talks to a Tidegate broker: publishes and consumes messages, reads topics, defines and lists\n"
    "exchanges, queues and topics, measures. Checks and moves the store of a broker that is stopped.";

constexpr const char* epilogue =
    "EXAMPLES\n"
    "  tidegate declare queue work\n"
    "  tidegate publish --key work 'first message'\n"
    "  tidegate consume work --count 1\n"
    "  tidegate tail readings --from -10m --follow --json\n"
    "  tidegate --broker gateway.local:7420 list topics\n"
    "\n"
    "EXIT CODES\n"
    "  0  done\n"
    "  1  failed: the broker is not reachable or refused, or not everything was confirmed or shown\n"
    "  2  the command line is wrong\n"
    "\n"
    "tidegate COMMAND --help tells more about a command.";

// CLI11's own layout, with the default and the environment variable of an option named in its description.
class help_layout final : public CLI::Formatter {
 public:
  help_layout() { column_width(30); }

  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_name();  // CLI11 appends validators after a colon
    return type.empty() || option->get_positional() ? "" : " " + type.substr(0, type.find(':'));
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += fmt::format(" (default {})", option->get_default_str());
    if (!option->get_envname().empty()) text += fmt::format(" (environment {})", option->get_envname());
    return text;
  }

  std::string make_footer(const CLI::App* app) const override {
    const bool is_command = app->get_parent() != nullptr;
    return app->get_footer() + (is_command ? command_epilogue : "") + "\n";
  }

 private:
  static constexpr const char* command_epilogue =
      "\n\n--broker, --token and --json go with every command: see tidegate --help.";
};

void add_global_options(CLI::App& app, arguments& into, std::string& broker) {
  app.add_option("--broker", broker, "The broker's address, HOST or HOST:PORT")
      ->envname("TIDEGATE_BROKER")
      ->type_name("ADDRESS")
      ->default_str("127.0.0.1:7420");
  app.add_option("--token", into.connect.token, "Credential, kept out of process listings in the environment")
      ->envname("TIDEGATE_TOKEN")
      ->type_name("TEXT");
  app.add_flag("--json", into.json, "Print JSON for programs, one value a line");
  app.set_version_flag("--version", std::string("tidegate ") + TIDEGATE_VERSION, "Print the version and exit");
}

// CLI11 reports help and version as a parse error too, with the exit code of success.
int explain(const CLI::App& app, const CLI::ParseError& reason) {
  if (reason.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(reason);
  const auto unknown = app.remaining();
  const std::string what = unknown.empty() ? reason.what() : fmt::format("'{}' is not known here", unknown.front());
  std::cerr << fmt::format("tidegate: {}\nRun tidegate --help, or tidegate COMMAND --help.\n", what);
  return exit_usage;
}

}  // namespace

std::variant<arguments, int> parse_command_line(int count, const char* const* words) {
  CLI::App app(description, "tidegate");
  arguments parsed;
  std::string broker;
  app.fallthrough();  // global options may follow the command
  app.require_subcommand(1);
  app.footer(epilogue);
  app.formatter(std::make_shared<help_layout>());
  add_global_options(app, parsed, broker);
  add_publish(app, parsed);
  add_consume(app, parsed);
  add_get(app, parsed);
  add_peek(app, parsed);
  add_purge(app, parsed);
  add_move(app, parsed);
  add_requeue(app, parsed);
  add_request(app, parsed);
  add_reply(app, parsed);
  add_tail(app, parsed);
  add_offsets(app, parsed);
  add_declare(app, parsed);
  add_bind(app, parsed);
  add_delete(app, parsed);
  add_list(app, parsed);
  add_export(app, parsed);
  add_import(app, parsed);
  add_bench(app, parsed);
  add_store(app, parsed);
  try {
    app.parse(count, words);
    parsed.connect.name = "tidegate " + app.get_subcommands().front()->get_name();
    if (!broker.empty()) parsed.broker = taken("--broker", client::parse_endpoint(broker));
  } catch (const CLI::ParseError& reason) {
    return explain(app, reason);
  }
  return parsed;
}

}  // namespace tidegate::tool
