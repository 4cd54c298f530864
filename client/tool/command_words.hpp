// The options and help texts of the commands, in five files. Each function adds one command to the tool; parsing that
// command fills `into`. Options are kept by the callback of their command, as long as the parser lives, and become
// arguments only when the parser has chosen the command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/tool/arguments.hpp"

namespace tidegate::tool {

// message_words.cpp
void add_publish(CLI::App& app, arguments& into);
void add_consume(CLI::App& app, arguments& into);
void add_request(CLI::App& app, arguments& into);
void add_reply(CLI::App& app, arguments& into);
void add_tail(CLI::App& app, arguments& into);
void add_offsets(CLI::App& app, arguments& into);

// queue_words.cpp
void add_get(CLI::App& app, arguments& into);
void add_peek(CLI::App& app, arguments& into);
void add_purge(CLI::App& app, arguments& into);
void add_move(CLI::App& app, arguments& into);
void add_requeue(CLI::App& app, arguments& into);

// definition_words.cpp
void add_declare(CLI::App& app, arguments& into);
void add_bind(CLI::App& app, arguments& into);
void add_delete(CLI::App& app, arguments& into);
void add_export(CLI::App& app, arguments& into);
void add_import(CLI::App& app, arguments& into);
void add_list(CLI::App& app, arguments& into);

// store_words.cpp
void add_store(CLI::App& app, arguments& into);

// bench/bench_words.cpp
void add_bench(CLI::App& app, arguments& into);

// Adds the option --durability, which several commands share. It says when a queue's or topic's messages are written.
void add_durability(CLI::App& command, std::string& into);

// Splits NAME=VALUE, or throws the usage error that names its option.
inline std::pair<std::string, std::string> split_pair(const char* option, const std::string& text) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos || at == 0) throw CLI::ValidationError(option, "'" + text + "' is not NAME=VALUE");
  return {text.substr(0, at), text.substr(at + 1)};
}

// Returns a value that was parsed by a function of ours, or throws the usage error that names its option.
template <class Value>
Value taken(const char* option, const result<Value>& value) {
  if (!value) throw CLI::ValidationError(option, value.error().text);
  return *value;
}

}  // namespace tidegate::tool
