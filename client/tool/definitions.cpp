#include <fmt/format.h>

#include <algorithm>

#include "broker/model/table_json.hpp"
#include "client/tool/command.hpp"
#include "client/tool/listing.hpp"

namespace tidegate::tool {

namespace json = boost::json;
using client::awaitable;

namespace {

void tell(const environment& environment, const json::object& done, const std::string& line) {
  if (environment.json) {
    print_json(done);
  } else {
    print_line(line);
  }
}

}  // namespace

awaitable<int> declare(environment& environment, const declare_arguments& arguments) {
  const std::string& name = arguments.kind == "queue"      ? arguments.queue.name
                            : arguments.kind == "exchange" ? arguments.exchange.name
                                                           : arguments.topic.name;
  json::object done{{"kind", arguments.kind}, {"name", name}};
  std::string line = fmt::format("{} {}", arguments.kind, name);
  if (arguments.kind == "exchange") {
    co_await environment.broker.declare_exchange(arguments.exchange, arguments.passive);
    if (!arguments.passive) done["type"] = arguments.exchange.type;
  } else if (arguments.kind == "queue") {
    const client::declared_queue queue = co_await environment.broker.declare_queue(arguments.queue, arguments.passive);
    done["ready"] = queue.ready;
    line += fmt::format(": {} ready", queue.ready);
  } else {
    const client::declared_topic topic = co_await environment.broker.declare_topic(arguments.topic, arguments.passive);
    const std::uint32_t partitions = topic.partitions;
    done["partitions"] = partitions;
    done["uuid"] = topic.id;
    if (!topic.notice.empty()) remark(topic.notice);
    line += fmt::format(": {} partition{}", partitions, partitions == 1 ? "" : "s");
  }
  tell(environment, done, line);
  co_return exit_ok;
}

namespace {

// Looks the binding up, because the broker does not report whether it existed: for the broker a repeated unbind
// succeeds.
awaitable<bool> is_bound(client::connection& broker, const client::binding_definition& binding) {
  bool found = false;
  const json::value arguments = json::parse(to_json(binding.arguments));
  const auto is_it = [&](const json::value& row) {
    const json::value* const own = row.as_object().if_contains("arguments");
    return row.at("exchange") == json::string(binding.exchange) &&
           row.at("target_kind") == json::string(binding.target_kind) &&
           row.at("target") == json::string(binding.target) &&
           row.at("routing_key") == json::string(binding.routing_key) &&
           (own == nullptr ? binding.arguments.empty() : *own == arguments);
  };
  const auto look = [&](const json::value& page) {
    found = std::any_of(page.as_array().begin(), page.as_array().end(), is_it);
    return !found;
  };
  co_await each_page(broker, "bindings", look);
  co_return found;
}

}  // namespace

awaitable<int> change_binding(environment& environment, const binding_arguments& arguments) {
  const auto& [remove, binding] = arguments;
  const auto& [exchange, kind, target, key, table] = binding;
  const bool was_bound = remove && co_await is_bound(environment.broker, binding);
  if (remove) {
    co_await environment.broker.unbind(binding);
  } else {
    co_await environment.broker.bind(binding);
  }
  const std::string_view change = !remove ? "bound" : was_bound ? "unbound" : "none";
  json::object done{
      {"change", change}, {"exchange", exchange}, {"target_kind", kind}, {"target", target}, {"routing_key", key}};
  std::string line = fmt::format("{}: {} -> {} {} by '{}'", change == "none" ? "no such binding" : change, exchange,
                                 kind, target, key);
  if (!table.empty()) {
    done["arguments"] = json::parse(to_json(table));
    line += " " + to_json(table);
  }
  tell(environment, done, line);
  co_return exit_ok;
}

namespace {

// Throws NOT_FOUND if the thing does not exist. A deletion does not report that: for the broker a repeated one
// succeeds.
awaitable<void> check_exists(client::connection& broker, const std::string& kind, const std::string& name) {
  if (kind == "exchange") {
    co_await broker.declare_exchange(name, "", true);
  } else if (kind == "queue") {
    co_await broker.declare_queue(name, true);
  } else {
    const client::topic_definition topic{.name = name};
    co_await broker.declare_topic(topic, true);
  }
}

}  // namespace

awaitable<int> remove(environment& environment, const delete_arguments& arguments) {
  co_await check_exists(environment.broker, arguments.kind, arguments.name);
  co_await environment.broker.erase(arguments.kind, arguments.name, arguments.conditions);
  tell(environment, {{"kind", arguments.kind}, {"name", arguments.name}, {"deleted", true}},
       fmt::format("deleted: {} {}", arguments.kind, arguments.name));
  co_return exit_ok;
}

}  // namespace tidegate::tool
