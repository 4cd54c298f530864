#include <fmt/format.h>

#include "client/tool/command.hpp"
#include "client/tool/delivery_output.hpp"

namespace tidegate::tool {

using client::awaitable;

// Messages that return to the queue are settled together at the end, or the same one would come again. The answer to
// the declaration shows that the broker has processed the settlements.
awaitable<int> get(environment& environment, const get_arguments& arguments) {
  const bool returns = arguments.outcome == client::outcome::requeue;
  std::uint64_t shown = 0, tag = 0;
  while (shown < arguments.count && !environment.interruption.happened()) {
    const auto got = co_await environment.broker.get(arguments.queue);
    if (!got) break;
    show(got->delivery, arguments.queue, arguments.raw, environment.json);
    ++shown;
    tag = got->delivery.tag;
    if (!returns) co_await environment.broker.settle(tag, arguments.outcome);
  }
  if (returns && tag != 0) co_await environment.broker.settle(tag, arguments.outcome, true);
  co_await environment.broker.declare_queue(arguments.queue, true);
  if (shown == arguments.count) co_return exit_ok;
  remark(fmt::format("{} of {} messages: {}", shown, arguments.count,
                     environment.interruption.happened() ? "interrupted" : "no more are ready"));
  co_return exit_failure;
}

awaitable<int> peek(environment& environment, const peek_arguments& arguments) {
  std::string place;
  for (std::uint64_t shown = 0; shown < arguments.count && !environment.interruption.happened(); ++shown) {
    auto peeked = co_await environment.broker.peek(arguments.queue, place);
    if (!peeked) break;
    show(peeked->delivery, arguments.queue, arguments.raw, environment.json);
    place = std::move(peeked->place);
  }
  co_return exit_ok;
}

awaitable<int> purge(environment& environment, const purge_arguments& arguments) {
  const std::uint64_t purged = co_await environment.broker.purge(arguments.queue);
  if (environment.json) {
    print_json({{"queue", arguments.queue}, {"purged", purged}});
  } else {
    print_line(fmt::format("queue {}: {} discarded", arguments.queue, purged));
  }
  co_return exit_ok;
}

}  // namespace tidegate::tool
