// The commands. Each is a coroutine that returns the exit code, and throws the exceptions of client::connection.
#pragma once

#include "client/connection.hpp"
#include "client/tool/arguments.hpp"
#include "client/tool/output.hpp"
#include "client/tool/task_group.hpp"

namespace tidegate::tool {

struct environment {
  boost::asio::any_io_executor executor;
  client::connection& broker;
  client::session_info info;
  std::string producer;  // the producer id that the connection was opened with; empty = none
  tool::interruption& interruption;
  bool json = false;
  // The address and options that this connection was opened with, for commands that open more connections.
  const client::endpoint& where;
  const client::connect_options& connect;
};

client::awaitable<int> publish(environment& environment, const publish_arguments& arguments);
client::awaitable<int> consume(environment& environment, const consume_arguments& arguments);
client::awaitable<int> get(environment& environment, const get_arguments& arguments);
client::awaitable<int> peek(environment& environment, const peek_arguments& arguments);
client::awaitable<int> move(environment& environment, const move_arguments& arguments);
client::awaitable<int> purge(environment& environment, const purge_arguments& arguments);
client::awaitable<int> request(environment& environment, const request_arguments& arguments);
client::awaitable<int> reply(environment& environment, const reply_arguments& arguments);
client::awaitable<int> tail(environment& environment, const tail_arguments& arguments);
client::awaitable<int> show_offsets(environment& environment, const offsets_arguments& arguments);
client::awaitable<int> declare(environment& environment, const declare_arguments& arguments);
client::awaitable<int> change_binding(environment& environment, const binding_arguments& arguments);
client::awaitable<int> remove(environment& environment, const delete_arguments& arguments);
client::awaitable<int> export_definitions(environment& environment, const export_arguments& arguments);
client::awaitable<int> import_definitions(environment& environment, const import_arguments& arguments);
client::awaitable<int> list(environment& environment, const list_arguments& arguments);
client::awaitable<int> run_bench(environment& environment, const bench_arguments& arguments);

}  // namespace tidegate::tool
