// tidegate: parses the command line, opens one connection unless the command works offline, and runs the command.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <system_error>

#include "broker/base/process.hpp"
#include "client/tool/command.hpp"
#include "client/tool/command_line.hpp"
#include "client/tool/store_command.hpp"

namespace tidegate::tool {
namespace {

namespace asio = boost::asio;

client::awaitable<int> dispatch(environment& environment, const command& command) {
  if (const auto* asked = std::get_if<publish_arguments>(&command)) co_return co_await publish(environment, *asked);
  if (const auto* asked = std::get_if<consume_arguments>(&command)) co_return co_await consume(environment, *asked);
  if (const auto* asked = std::get_if<get_arguments>(&command)) co_return co_await get(environment, *asked);
  if (const auto* asked = std::get_if<peek_arguments>(&command)) co_return co_await peek(environment, *asked);
  if (const auto* asked = std::get_if<purge_arguments>(&command)) co_return co_await purge(environment, *asked);
  if (const auto* asked = std::get_if<move_arguments>(&command)) co_return co_await move(environment, *asked);
  if (const auto* asked = std::get_if<request_arguments>(&command)) co_return co_await request(environment, *asked);
  if (const auto* asked = std::get_if<reply_arguments>(&command)) co_return co_await reply(environment, *asked);
  if (const auto* asked = std::get_if<tail_arguments>(&command)) co_return co_await tail(environment, *asked);
  if (const auto* asked = std::get_if<offsets_arguments>(&command))
    co_return co_await show_offsets(environment, *asked);
  if (const auto* asked = std::get_if<declare_arguments>(&command)) co_return co_await declare(environment, *asked);
  if (const auto* asked = std::get_if<binding_arguments>(&command)) {
    co_return co_await change_binding(environment, *asked);
  }
  if (const auto* asked = std::get_if<delete_arguments>(&command)) co_return co_await remove(environment, *asked);
  if (const auto* asked = std::get_if<export_arguments>(&command)) {
    co_return co_await export_definitions(environment, *asked);
  }
  if (const auto* asked = std::get_if<import_arguments>(&command)) {
    co_return co_await import_definitions(environment, *asked);
  }
  if (const auto* asked = std::get_if<bench_arguments>(&command)) co_return co_await run_bench(environment, *asked);
  co_return co_await list(environment, std::get<list_arguments>(command));
}

client::awaitable<void> open(environment& environment, const arguments& arguments) {
  try {
    environment.info = co_await environment.broker.open(arguments.broker, arguments.connect);
  } catch (const boost::system::system_error& failure) {
    if (failure.code() == asio::error::operation_aborted) throw;
    throw std::runtime_error(fmt::format(
        "no broker at {}:{}: {}. Is tidegate-broker running there? Another address goes into --broker HOST:PORT or "
        "TIDEGATE_BROKER.",
        arguments.broker.host, arguments.broker.port, failure.what()));
  }
}

client::awaitable<int> converse(environment& environment, const arguments& arguments) {
  {
    task_group opening(environment.executor, environment.interruption);
    opening.start(open(environment, arguments));
    co_await opening.finish();
  }
  if (!environment.broker.is_open()) co_return exit_failure;
  co_return co_await dispatch(environment, arguments.command);
}

void explain(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const error_exception& refused) {
    remark(fmt::format("{}: {}", name(refused.cause.code), refused.cause.text));
  } catch (const std::system_error& failure) {
    // The reader of the output has ended, as in `tidegate tail readings | head`. That is not an error.
    if (failure.code() != std::errc::broken_pipe) remark(failure.what());
  } catch (const std::exception& failure) {
    remark(failure.what());
  }
}

int run(const arguments& arguments) {
  asio::io_context context(1);
  client::connection broker(context.get_executor());
  tool::interruption interruption(context.get_executor());
  environment environment{context.get_executor(),     broker,           {},
                          arguments.connect.producer, interruption,     arguments.json,
                          arguments.broker,           arguments.connect};
  int code = exit_failure;
  asio::co_spawn(context, converse(environment, arguments), [&](std::exception_ptr thrown, int result) {
    if (thrown) explain(thrown);
    if (!thrown) code = result;
    context.stop();
  });
  context.run();
  return code;
}

int run_offline(const store_arguments& asked, bool json) {
  try {
    return run_store_command(asked, json);
  } catch (const std::exception&) {
    explain(std::current_exception());
    return asked.action == store_action::check ? exit_not_checked : exit_failure;
  }
}

}  // namespace
}  // namespace tidegate::tool

// SIGPIPE is ignored, so that a command ends in order when the reader of its output has ended: messages received from a
// queue return to it, and the queues and topics of a benchmark are removed.
int main(int count, char** words) {
  tidegate::occupy_standard_descriptors();
  tidegate::ignore_signals({SIGPIPE, SIGXFSZ});
  const auto parsed = tidegate::tool::parse_command_line(count, words);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  const auto& arguments = std::get<tidegate::tool::arguments>(parsed);
  if (const auto* const offline = std::get_if<tidegate::tool::store_arguments>(&arguments.command)) {
    return tidegate::tool::run_offline(*offline, arguments.json);
  }
  return tidegate::tool::run(arguments);
}
