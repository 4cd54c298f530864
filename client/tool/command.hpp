// The commands, each a coroutine that gives the exit code and throws what the broker or the connection says.
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "client/connection.hpp"
#include "client/tool/arguments.hpp"
#include "client/tool/task_group.hpp"

namespace tidegate::tool {

struct environment {
  boost::asio::any_io_executor executor;
  client::connection& broker;
  client::session_info info;
  std::string producer;  // that the connection was opened with; empty = none
  tool::interruption& interruption;
  bool json = false;
};

client::awaitable<int> publish(environment& environment, const publish_arguments& arguments);
client::awaitable<int> consume(environment& environment, const consume_arguments& arguments);
client::awaitable<int> tail(environment& environment, const tail_arguments& arguments);
client::awaitable<int> show_offsets(environment& environment, const offsets_arguments& arguments);
client::awaitable<int> declare(environment& environment, const declare_arguments& arguments);
client::awaitable<int> change_binding(environment& environment, const binding_arguments& arguments);
client::awaitable<int> remove(environment& environment, const delete_arguments& arguments);
client::awaitable<int> list(environment& environment, const list_arguments& arguments);

// Writes to standard output and flushes, so that a reader at the other end of a pipe sees whole lines at once. Throws
// when it cannot be written: nothing may be acknowledged that nobody got.
void print(std::string_view text);
void print_line(std::string_view line);
void print_json(const boost::json::value& value);
// A remark to standard error, with the tool's name before it.
void remark(std::string_view line);

}  // namespace tidegate::tool
