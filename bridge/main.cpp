#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "bridge/daemon.hpp"
#include "bridge/known_settings.hpp"
#include "broker/base/log_writer.hpp"
#include "broker/base/process.hpp"
#include "broker/base/settings/reference.hpp"

namespace {

using namespace tidegate;

constexpr const char* description =
    "Tidegate bridge: carries topics of the broker to the centre, holds what cannot be sent, and continues where it\n"
    "stopped. Holds no data of its own: it can be killed at any instant.";

constexpr const char* footer =
    "Signals:\n"
    "  SIGTERM, SIGINT  send what is under way for up to 5 seconds, store the cursors and end\n"
    "  SIGHUP           the link is back: try at once\n"
    "\n"
    "Files:\n"
    "  /etc/tidegate/bridge.toml   configuration, unless --config says otherwise;\n"
    "                              tidegate-bridge.example.toml lists every key with its default,\n"
    "                              --print-settings what each takes and means\n"
    "\n"
    "Exit codes:\n"
    "  0  stopped when asked, or the configuration is good\n"
    "  1  cannot start, or there is no status to show\n"
    "  2  usage, or a mistake in the configuration\n"
    "\n"
    "Examples:\n"
    "  tidegate-bridge --config bridge.toml --check-config\n"
    "  tidegate-bridge --config bridge.toml\n"
    "  tidegate-bridge status --config bridge.toml --json";

int fail(int code, const std::string& text) {
  log::say("tidegate-bridge: " + text);
  return code;
}

result<bridge::config> configuration(const std::string& path, const std::string& status_file) {
  result<bridge::config> config = bridge::read_config(path);
  if (!config) return config;
  if (!status_file.empty()) config->status_file = status_file;
  return config;
}

int print(const std::string& text) { return std::fputs(text.c_str(), stdout) < 0 ? exit_failure : exit_ok; }

int show_status(const bridge::config& config, bool as_json) {
  std::ifstream file(config.status_file);
  if (!file) return fail(exit_failure, config.status_file + " cannot be read: is the bridge running?");
  std::ostringstream text;
  text << file.rdbuf();
  if (as_json) return std::puts(text.str().c_str()) < 0 ? exit_failure : exit_ok;
  const auto table = bridge::status_table(text.str());
  if (!table) return fail(exit_failure, table.error().text);
  return print(*table);
}

int forward(const bridge::config& config) {
  try {
    bridge::run_daemon(config);
    return exit_ok;
  } catch (const std::exception& failure) {
    return fail(exit_failure, failure.what());
  }
}

int run(const bridge::config& config) {
  try {
    const log::writer writer(STDERR_FILENO);
    return forward(config);
  } catch (const std::exception& failure) {
    return fail(exit_failure, failure.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_descriptors();
  ignore_signals({SIGPIPE, SIGXFSZ, SIGHUP});
  CLI::App app(description, "tidegate-bridge");
  app.footer(footer);
  std::string path = "/etc/tidegate/bridge.toml";
  std::string status_file;
  bool check = false;
  bool prints = false;
  bool as_json = false;
  bool takes_over = false;
  bool verbose = false;
  app.add_option("-c,--config", path, "The configuration file")->capture_default_str();
  app.add_option("--status-file", status_file, "Instead of the configuration's");
  app.add_flag("--check-config", check, "Read the configuration, say whether it is good, and exit");
  app.add_flag("--print-settings", prints, "Print the reference of all keys of the configuration, and exit");
  app.add_flag("--take-over", takes_over,
               "End the connection of another bridge of this name and forward in its place, instead of waiting");
  app.add_flag("-v,--verbose", verbose, "Also log librdkafka's messages");
  app.set_version_flag("--version", "tidegate-bridge " TIDEGATE_VERSION);
  CLI::App* const status = app.add_subcommand("status", "Show the status file of the running bridge");
  status->fallthrough();
  status->add_flag("--json", as_json, "Print the status file as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& failure) {
    return app.exit(failure) == 0 ? exit_ok : exit_usage;
  }
  if (verbose) log::set_level(log::level::debug);
  if (prints) return print(settings::reference(bridge::known_settings()));
  auto config = configuration(path, status_file);
  if (!config) return fail(exit_usage, config.error().text);
  if (*status) return show_status(*config, as_json);
  if (check) return std::puts("the configuration is good") < 0 ? exit_failure : exit_ok;
  config->take_over = takes_over;
  return run(*config);
}
