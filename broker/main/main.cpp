// tidegate-broker: command line, configuration, exit codes.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "broker/base/log_writer.hpp"
#include "broker/base/process.hpp"
#include "broker/base/settings/reference.hpp"
#include "broker/main/daemon.hpp"
#include "broker/main/known_settings.hpp"

namespace {

constexpr const char* description =
    "Tidegate broker: durable work queues and a replayable log in one store, for embedded gateways.\n"
    "\n"
    "Listens for devices and applications on the native port, and confirms what is published after the\n"
    "commit that holds it has been synced to flash. Runs in the foreground and logs to standard error,\n"
    "without waiting for whoever reads it.";

constexpr const char* footer =
    "Signals:\n"
    "  SIGTERM, SIGINT  stop cleanly; after kill -9, too, everything that was confirmed is there\n"
    "  SIGHUP           logged and ignored: the configuration is read at the start only\n"
    "\n"
    "Files:\n"
    "  /etc/tidegate/broker.toml   configuration, unless --config says otherwise;\n"
    "                              tidegate-broker.example.toml lists every key with its default,\n"
    "                              --print-settings what each takes and means\n"
    "  <store.path>/data.mdb       the store, of store.bytes_max bytes from the first start on\n"
    "  <store.path>/journal.ring   its journal, of store.journal_bytes_max bytes\n"
    "\n"
    "Exit codes:\n"
    "  0  stopped when asked, or the configuration is good\n"
    "  1  cannot start: the address is taken, or a definition contradicts the store\n"
    "  2  usage, or a mistake in the configuration\n"
    "  74 the store cannot be opened or written: confirmed messages are kept; the line `tidegate-broker: ...`\n"
    "     names the cause\n"
    "\n"
    "Examples:\n"
    "  tidegate-broker --config gateway.toml --check-config\n"
    "  tidegate-broker --config gateway.toml";

// One malloc arena for each of the two threads that allocate: in a shared one they would wait for each other.
void keep_memory_small() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

int complain(const std::string& text, int exit_code) {
  tidegate::log::say("tidegate-broker: " + text);
  return exit_code;
}

int print(const std::string& text) {
  return std::fputs(text.c_str(), stdout) < 0 ? tidegate::exit_failure : tidegate::exit_ok;
}

int run(const tidegate::configuration& configuration) {
  try {
    tidegate::run_daemon(configuration);
    return tidegate::exit_ok;
  } catch (const tidegate::storage_failure& failure) {
    return complain(failure.what(), tidegate::exit_storage_failure);
  } catch (const std::exception& failure) {
    return complain(failure.what(), tidegate::exit_failure);
  }
}

}  // namespace

int main(int argc, char** argv) {
  tidegate::occupy_standard_descriptors();
  tidegate::ignore_signals({SIGPIPE, SIGXFSZ, SIGHUP});
  keep_memory_small();
  CLI::App app(description, "tidegate-broker");
  app.footer(footer);
  std::string file = "/etc/tidegate/broker.toml";
  bool check_only = false;
  bool print_only = false;
  app.add_option("-c,--config", file, "The configuration file")->capture_default_str();
  app.add_flag("--check-config", check_only, "Read the configuration, say whether it is good, and exit");
  app.add_flag("--print-settings", print_only, "Print the reference of all keys of the configuration, and exit");
  app.set_version_flag("--version", "tidegate-broker " TIDEGATE_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& failure) {
    return app.exit(failure) == 0 ? tidegate::exit_ok : tidegate::exit_usage;
  }
  if (print_only) return print(tidegate::settings::reference(tidegate::known_settings()));
  auto configuration = tidegate::read_configuration(file);
  if (!configuration) return complain(configuration.error().text, tidegate::exit_usage);
  if (check_only) {
    std::printf("%s: good\n", file.c_str());
    return tidegate::exit_ok;
  }
  configuration->native.server = "tidegate-broker " TIDEGATE_VERSION;
  tidegate::log::set_level(configuration->log_level);
  try {
    const tidegate::log::writer writer(STDERR_FILENO);
    return run(*configuration);
  } catch (const std::exception& failure) {
    return complain(failure.what(), tidegate::exit_failure);
  }
}
