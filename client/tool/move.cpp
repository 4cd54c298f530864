#include <fmt/format.h>

#include "broker/model/deaths.hpp"
#include "client/tool/command.hpp"

namespace tidegate::tool {
namespace {

using client::awaitable;

// What one transaction moves. A frame takes a megabyte, and one message may be nearly that long.
constexpr std::size_t messages_max = 100;
constexpr std::size_t bytes_mark = 256 * 1024;

// The messages of one transaction. The deliveries hold what the transaction's views point to.
struct batch {
  std::vector<client::delivery> deliveries;
  std::vector<deaths> died;
  client::transaction moves;
  std::size_t bytes = 0;

  bool is_full() const { return deliveries.size() >= messages_max || bytes >= bytes_mark; }
};

// Returns whether there is a place for the message to go.
bool add(batch& batch, const client::delivery& delivery, const move_arguments& arguments) {
  message_view message = delivery.message;
  if (arguments.to.empty()) {
    auto died = decode_deaths(message.deaths);
    if (!died || died->list.empty() || died->list.front().routing_keys.empty()) return false;
    const death& last = batch.died.emplace_back(std::move(*died)).list.front();
    message.exchange = last.exchange;
    message.routing_key = last.routing_keys.front();
  } else {
    message.exchange = {};
    message.routing_key = arguments.to;
  }
  std::erase_if(message.headers, [](const header& one) { return one.name.starts_with(reserved_header_prefix); });
  batch.bytes += message.body.size();
  batch.moves.publishes.push_back({message});
  batch.moves.settlements.push_back({delivery.tag, client::outcome::ack});
  return true;
}

}  // namespace

awaitable<int> move(environment& environment, const move_arguments& arguments) {
  const std::uint64_t ready = (co_await environment.broker.declare_queue(arguments.queue, true)).ready;
  std::uint64_t left = std::min(ready, arguments.count.value_or(ready)), moved = 0, stayed = 0;
  bool is_over = false;
  while (left > 0 && !is_over && !environment.interruption.happened()) {
    batch batch;
    batch.moves.all_routable = true;
    batch.deliveries.reserve(messages_max);
    batch.died.reserve(messages_max);
    for (; left > 0 && !batch.is_full(); --left) {
      auto got = co_await environment.broker.get(arguments.queue);
      is_over = !got;
      if (is_over) break;
      const client::delivery& delivery = batch.deliveries.emplace_back(std::move(got->delivery));
      if (!add(batch, delivery, arguments)) ++stayed;
    }
    if (!batch.moves.publishes.empty()) moved += co_await environment.broker.transact(batch.moves);
  }
  // What stays returns to its place when this connection ends.
  const std::string where = arguments.to.empty() ? "to where they came from" : fmt::format("to {}", arguments.to);
  if (environment.json) {
    print_json({{"queue", arguments.queue}, {"moved", moved}, {"stayed", stayed}});
  } else {
    print_line(fmt::format("queue {}: {} moved {}{}", arguments.queue, moved, where,
                           stayed == 0 ? std::string() : fmt::format(", {} never died and stay", stayed)));
  }
  co_return environment.interruption.happened() ? exit_failure : exit_ok;
}

}  // namespace tidegate::tool
