#include <fmt/format.h>

#include "broker/model/properties.hpp"
#include "client/tool/command.hpp"
#include "client/tool/delivery_output.hpp"
#include "client/tool/text.hpp"

namespace tidegate::tool {
namespace {

using client::awaitable;

error_exception refused(errc code, std::string text) { return error_exception(error{code, std::move(text)}); }

awaitable<void> ask(environment& environment, const request_arguments& arguments, bool& is_answered) {
  const client::consume_options options{.auto_ack = true};
  co_await environment.broker.consume(direct_reply_name, options);
  const std::string properties = encode(tidegate::properties{.reply_to = direct_reply_name});
  message_view message;
  message.exchange = arguments.exchange;
  message.routing_key = arguments.routing_key;
  message.body = arguments.body;
  message.properties = properties;
  const client::publish_options mandatory{.mandatory = true};
  const auto confirmed = co_await environment.broker.publish(message, mandatory);
  if (confirmed.failure) throw error_exception(*confirmed.failure);
  if (confirmed.unroutable) {
    throw refused(errc::not_found, fmt::format("no queue takes a message with key '{}' of exchange '{}'",
                                               to_line(arguments.routing_key), to_line(arguments.exchange)));
  }
  const auto reply = co_await environment.broker.receive_for(arguments.timeout);
  if (!reply) {
    remark(fmt::format("no reply came within {} ms; the request may still be answered, to nobody",
                       arguments.timeout.count()));
    co_return;
  }
  show(*reply, direct_reply_name, arguments.raw, environment.json);
  is_answered = true;
}

// The answer is confirmed before the request is acknowledged: a server that dies in between answers twice instead of
// never.
awaitable<void> answer(environment& environment, const reply_arguments& arguments, const client::delivery& request) {
  const auto properties = read_properties(request.message.properties);
  if (!properties || !properties->reply_to) {
    remark("a message asks for no reply; it is acknowledged and dropped");
  } else {
    const std::string own = encode(tidegate::properties{.correlation_id = properties->correlation_id});
    message_view message;
    message.routing_key = *properties->reply_to;
    message.body = arguments.body ? std::string_view(*arguments.body) : request.message.body;
    message.properties = own;
    const client::publish_options mandatory{.mandatory = true};
    const auto confirmed = co_await environment.broker.publish(message, mandatory);
    if (confirmed.failure) throw error_exception(*confirmed.failure);  // the request returns to its queue
    if (confirmed.unroutable) remark("nobody waits for a reply any more");
  }
  co_await environment.broker.settle(request.tag, client::outcome::ack);
}

awaitable<void> answer_all(environment& environment, const reply_arguments& arguments, std::uint64_t& answered) {
  constexpr std::uint32_t prefetch = 1;
  co_await environment.broker.consume(arguments.queue, prefetch);
  while (!arguments.count || answered < *arguments.count) {
    const auto request = co_await environment.broker.receive();
    show(request, arguments.queue, false, environment.json);
    co_await answer(environment, arguments, request);
    ++answered;
  }
  co_await environment.broker.declare_queue(arguments.queue, true);  // its answer shows that the last one is settled
}

}  // namespace

awaitable<int> request(environment& environment, const request_arguments& arguments) {
  bool is_answered = false;
  task_group tasks(environment.executor, environment.interruption);
  tasks.start(ask(environment, arguments, is_answered));
  co_await tasks.finish();
  co_return is_answered ? exit_ok : exit_failure;
}

awaitable<int> reply(environment& environment, const reply_arguments& arguments) {
  std::uint64_t answered = 0;
  task_group tasks(environment.executor, environment.interruption);
  tasks.start(answer_all(environment, arguments, answered));
  co_await tasks.finish();
  co_return !arguments.count || answered == *arguments.count ? exit_ok : exit_failure;
}

}  // namespace tidegate::tool
