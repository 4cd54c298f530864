#include <fmt/format.h>

#include "broker/base/limits.hpp"
#include "client/tool/command_words.hpp"

namespace tidegate::tool {
namespace {

constexpr std::uint64_t store_bytes_min = 64 * limits::mib;
constexpr std::uint64_t store_bytes_limit = sizeof(void*) == 4 ? 1ull << 30 : 1ull << 44;

constexpr const char* store_epilogue =
    "They work on the directory that store.path names while no broker runs on it: stop the broker first.\n"
    "check, show, export and salvage change nothing; a copy will do, or a file system mounted read-only. No broker is\n"
    "asked, so --broker and --token do nothing here.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate store check /var/lib/tidegate\n"
    "  tidegate store export /var/lib/tidegate gateway.archive\n"
    "  tidegate store import gateway.archive /mnt/new/tidegate --bytes-max 4G\n"
    "\n"
    "tidegate store COMMAND --help tells each one's exit codes.";

constexpr const char* check_epilogue =
    "Reads every row and every record, replays the journal as a start does, and compares the counters with\n"
    "what was counted. It takes as long as reading the file does; a terminal shows how far it is.\n"
    "  note           left over from an interrupted clean-up; the next start tidies up\n"
    "  inconsistent   a start works, but counters and contents differ\n"
    "  damaged        a start refuses it, or something cannot be read or is missing\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate store check /var/lib/tidegate\n"
    "  tidegate store check /var/lib/tidegate --json | jq .findings\n"
    "\n"
    "EXIT CODES\n"
    "  0  sound, perhaps with notes\n"
    "  1  inconsistent: a start survives what was found\n"
    "  2  damaged, or cannot be opened; also a wrong command line";

constexpr const char* exit_codes =
    "\n"
    "EXIT CODES\n"
    "  0  done     1  failed     2  usage";

constexpr const char* show_epilogue =
    "\n"
    "EXAMPLES\n"
    "  tidegate store show /var/lib/tidegate\n";

constexpr const char* export_epilogue =
    "Writes one file that is the same whatever the machine: for a move between 32 and 64 bits, between page\n"
    "sizes, to another store.bytes_max, or as a backup. It stops at the first thing that is damaged. A file\n"
    "that exists is not overwritten; - is standard output.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate store export /var/lib/tidegate gateway.archive\n"
    "  tidegate store export /var/lib/tidegate - | ssh other tidegate store import - /var/lib/tidegate\n";

constexpr const char* salvage_epilogue =
    "For a store that no start opens: writes an archive, as export does, of everything that is whole. Rows are\n"
    "found page by page and commits block by block, each by its own CRC-32C, so a damaged page or number keeps\n"
    "nothing back but itself; what a page that is no longer used still holds fills gaps. Says what is missing;\n"
    "the new store's loss ledger has it, too. Queues' messages come as redelivered, and some may have been\n"
    "acknowledged. What is left of a stream without its definition is in a queue or topic salvaged-N.\n"
    "Try `tidegate store check` first, and keep a copy of the directory.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate store salvage /var/lib/tidegate gateway.archive\n"
    "  tidegate store import gateway.archive /var/lib/tidegate.new\n"
    "\n"
    "EXIT CODES\n"
    "  0  all was there     1  failed     2  usage     3  done, and something is missing";

constexpr const char* import_epilogue =
    "Makes a new store, in a directory that is empty or not there yet, with the same offsets, acknowledgements,\n"
    "committed offsets, producers and definitions, and checks it. If it fails, nothing is left behind. The\n"
    "broker's user must be able to write there. - is standard input.\n"
    "The new store is a new incarnation, unless --keep-incarnation says that the old one is gone for good: two\n"
    "stores that both live would give one offset to two records, and the centre would drop the second.\n"
    "\n"
    "EXAMPLES\n"
    "  tidegate store import gateway.archive /var/lib/tidegate --keep-incarnation     the store has moved\n"
    "  tidegate store import gateway.archive /var/lib/tidegate                        a copy, or an older state\n"
    "  tidegate store import gateway.archive /mnt/new/tidegate --bytes-max 4G\n";

std::shared_ptr<store_arguments> add_action(CLI::App& command, store_action action, arguments& into) {
  const auto arguments = std::make_shared<store_arguments>();
  arguments->action = action;
  command.callback([arguments, &into] { into.command = *arguments; });
  return arguments;
}

void add_directory(CLI::App& command, store_arguments& arguments) {
  command.add_option("DIRECTORY", arguments.directory, "The store's directory, store.path")->required();
}

void add_store_export(CLI::App& store, arguments& into) {
  CLI::App& command = *store.add_subcommand("export", "Write all that a store holds into one portable file");
  command.footer(std::string(export_epilogue) + exit_codes);
  const auto arguments = add_action(command, store_action::save, into);
  add_directory(command, *arguments);
  command.add_option("FILE", arguments->file, "The archive to write")->required();
}

void add_salvage(CLI::App& store, arguments& into) {
  CLI::App& command = *store.add_subcommand("salvage", "Write what is whole of a damaged store into such a file");
  command.footer(salvage_epilogue);
  const auto arguments = add_action(command, store_action::salvage, into);
  add_directory(command, *arguments);
  command.add_option("FILE", arguments->file, "The archive to write")->required();
}

void add_store_import(CLI::App& store, arguments& into) {
  CLI::App& command = *store.add_subcommand("import", "Make a new store of such a file");
  command.footer(std::string(import_epilogue) + exit_codes);
  const auto arguments = add_action(command, store_action::restore, into);
  const auto bytes = std::make_shared<std::string>();
  command.add_option("FILE", arguments->file, "The archive to read")->required();
  add_directory(command, *arguments);
  command.add_option("--bytes-max", *bytes, "The new store's size (the old one's): store.bytes_max")
      ->type_name("N[K|M|G]");
  command.add_flag("--keep-incarnation", arguments->keeps_incarnation,
                   "Keep the incarnation: the old store will never be used again");
  command.callback([arguments, bytes, &into] {
    if (!bytes->empty()) {
      const std::uint64_t wanted = taken("--bytes-max", parse_bytes(*bytes));
      if (wanted < store_bytes_min || wanted > store_bytes_limit) {
        throw CLI::ValidationError("--bytes-max",
                                   fmt::format("takes bytes from {} to {}", store_bytes_min, store_bytes_limit));
      }
      arguments->bytes_max = wanted;
    }
    into.command = *arguments;
  });
}

}  // namespace

void add_store(CLI::App& app, arguments& into) {
  CLI::App& store =
      *app.add_subcommand("store", "Check, show, export, salvage and import a store whose broker is stopped");
  store.require_subcommand(1);
  store.footer(store_epilogue);
  CLI::App& check = *store.add_subcommand("check", "Look at everything and say whether it is sound");
  check.footer(check_epilogue);
  add_directory(check, *add_action(check, store_action::check, into));
  CLI::App& show = *store.add_subcommand("show", "Show streams, committed offsets, journal and size");
  show.footer(std::string(show_epilogue + 1) + exit_codes);
  add_directory(show, *add_action(show, store_action::show, into));
  add_store_export(store, into);
  add_salvage(store, into);
  add_store_import(store, into);
}

}  // namespace tidegate::tool
