#include <fmt/format.h>

#include "broker/base/limits.hpp"
#include "client/tool/command.hpp"
#include "client/tool/delivery_output.hpp"

namespace tidegate::tool {

using client::awaitable;

namespace {

class consumption {
 public:
  consumption(environment& environment, const consume_arguments& arguments)
      : environment_(environment), arguments_(arguments) {}

  awaitable<int> run();

 private:
  awaitable<void> take();
  awaitable<void> settle(std::uint64_t tag);
  awaitable<void> finish(std::uint32_t consumer);
  int outcome() const;
  void show(const client::delivery& delivery) {
    tool::show(delivery, arguments_.queue, arguments_.raw, environment_.json);
  }
  std::uint32_t prefetch() const;
  // With a count the tool acknowledges by itself. With auto-ack the broker would send more messages than the count, and
  // those would be lost.
  bool auto_ack() const { return arguments_.auto_ack && !arguments_.count; }
  bool keeps_open() const;

  environment& environment_;
  const consume_arguments& arguments_;
  std::uint64_t shown_ = 0;
  std::uint64_t settled_ = 0;
  std::uint64_t open_tag_ = 0;  // newest delivery that is shown and not settled; 0 = none. All before it are shown
};

std::uint32_t consumption::prefetch() const {
  const std::uint64_t wanted = arguments_.prefetch == 0 ? limits::prefetch_max : arguments_.prefetch;
  if (!arguments_.count) return static_cast<std::uint32_t>(wanted);
  // To show `count` messages and put all of them back, all of them have to be unsettled at the same time.
  const bool looks = arguments_.outcome == client::outcome::requeue;
  const std::uint64_t room = looks ? limits::prefetch_max : wanted;
  return static_cast<std::uint32_t>(std::min(*arguments_.count, room));
}

// Returns whether a delivery stays unsettled for now. Settling it would let the broker send more messages than the
// count, or send a message again that was just put back.
bool consumption::keeps_open() const {
  if (arguments_.outcome == client::outcome::requeue) return true;
  return arguments_.count && settled_ + prefetch() >= *arguments_.count;
}

awaitable<void> consumption::settle(std::uint64_t tag) {
  if (auto_ack()) co_return;
  open_tag_ = tag;
  if (keeps_open()) co_return;
  co_await environment_.broker.settle(tag, arguments_.outcome);
  open_tag_ = 0;
  ++settled_;
}

awaitable<void> consumption::take() {
  const auto idle = arguments_.idle.value_or(std::chrono::hours(24 * 365));
  while (!arguments_.count || shown_ < *arguments_.count) {
    const auto delivery = co_await environment_.broker.receive_for(idle);
    if (!delivery) co_return;
    show(*delivery);
    ++shown_;
    co_await settle(delivery->tag);
  }
}

// Sends the last settlement and then the cancellation, whose answer shows that the broker has processed both. Messages
// that were received and not shown return to the queue. With auto-ack they would not, so all of them are shown.
awaitable<void> consumption::finish(std::uint32_t consumer) {
  if (open_tag_ != 0) co_await environment_.broker.settle(open_tag_, arguments_.outcome, true);
  co_await environment_.broker.cancel(consumer);
  if (!auto_ack()) co_return;
  while (const auto delivery = co_await environment_.broker.receive_for(std::chrono::milliseconds(0))) show(*delivery);
}

awaitable<int> consumption::run() {
  const client::consume_options options{prefetch(), auto_ack(), arguments_.exclusive, arguments_.priority};
  const std::uint32_t consumer = co_await environment_.broker.consume(arguments_.queue, options);
  task_group tasks(environment_.executor, environment_.interruption);
  tasks.start(take());
  co_await tasks.finish();
  co_await finish(consumer);
  co_return outcome();
}

// With a count, the exit code says whether all of these messages were shown.
int consumption::outcome() const {
  if (!arguments_.count || shown_ >= *arguments_.count) return exit_ok;
  const char* const why = environment_.interruption.happened() ? "interrupted" : "nothing more came in time";
  remark(fmt::format("{} of {} messages: {}", shown_, *arguments_.count, why));
  return exit_failure;
}

}  // namespace

awaitable<int> consume(environment& environment, const consume_arguments& arguments) {
  consumption consumption(environment, arguments);
  co_return co_await consumption.run();
}

}  // namespace tidegate::tool
