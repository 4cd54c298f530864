// The calls of a session: publishes, consumers, and the room that they wait for.
#include <fmt/format.h>

#include "client/session.hpp"

namespace tidegate::client {

namespace conditions = boost::system::errc;
using std::chrono::steady_clock;

// ------------------------------------------------------------------------------------------------------ outgoing

awaitable<> session::outbox_room() {
  check_not_ended();
  const time_point deadline = steady_clock::now() + options_.request_timeout;
  while (outbox_.size() >= limits::outbox_bytes_mark) {
    check_deadline(deadline, "the broker to read");
    co_await signals_.room.wait_until(deadline);
    check_not_ended();
  }
}

// Checked before publish_room(), so that a publish that does not have to wait makes no coroutine for waiting.
bool session::has_publish_room() const {
  return outbox_.size() < limits::outbox_bytes_mark && publishes_.ledger.span() < options_.publish_window;
}

awaitable<> session::publish_room() {
  const time_point began = steady_clock::now();
  while (!has_publish_room()) {
    co_await outbox_room();
    if (has_publish_room()) break;
    const time_point deadline = std::max(began, publishes_.confirmed_at) + options_.request_timeout;
    check_deadline(deadline, "a confirm of the broker");
    co_await signals_.room.wait_until(deadline);
  }
  check_not_ended();
}

std::uint32_t session::new_correlation() {
  if (++correlation_ == 0) ++correlation_;
  return correlation_;
}

// Removes the frame that starts at `before` if the broker would close the connection for its size.
void session::check_appended(std::size_t before) {
  const std::size_t size = outbox_.size() - before;
  if (size > frame_bytes_max_) {
    outbox_.resize(before);
    throw error_exception(
        {errc::too_large, fmt::format("a frame of {} bytes is over the broker's limit of {}", size, frame_bytes_max_)});
  }
  wake_writer();
}

void session::wake_writer() {
  if (outbox_.size() > limits::outbox_bytes_max) {
    return end(conditions::make_error_code(conditions::no_buffer_space), "the broker asks and does not read");
  }
  signals_.outbox_filled.notify();
}

awaitable<std::uint64_t> session::send(const message_view& message, publish_options options) {
  check_open();
  check(message).value();
  if (!has_publish_room()) co_await publish_room();
  const std::size_t before = outbox_.size();
  const std::uint64_t id = publishes_.ledger.open();
  codec::encode_publish(outbox_, id, message, options);
  try {
    check_appended(before);
  } catch (const error_exception&) {
    publishes_.ledger.withdraw();
    throw;
  }
  co_return id;
}

awaitable<confirmation> session::publish(const message_view& message, publish_options options) {
  const std::uint64_t id = co_await send(message, options);
  waiting_table<confirmation>::place place(publishes_.waiting, id, executor_);
  const time_point deadline = steady_clock::now() + options_.request_timeout;
  while (!place.result()) {
    check_not_ended();
    check_deadline(deadline, "a confirm of the broker");
    co_await place.wait_until(deadline);
  }
  co_return std::move(*place.result());
}

awaitable<> session::drain() {
  const time_point began = steady_clock::now();
  while (!publishes_.ledger.settled()) {
    check_not_ended();
    const time_point deadline = std::max(began, publishes_.confirmed_at) + options_.request_timeout;
    check_deadline(deadline, "a confirm of the broker");
    co_await signals_.room.wait_until(deadline);
  }
}

// ------------------------------------------------------------------------------------------------------- consuming

awaitable<std::uint32_t> session::consume(std::string_view queue, consume_options options) {
  check_open();
  const std::uint32_t consumer = ++consumption_.last_consumer;
  ++consumption_.consumers;
  try {
    co_await ask<codec::done>([&](std::string& out, std::uint32_t correlation) {
      codec::encode_consume(out, correlation, consumer, queue, options);
    });
  } catch (...) {
    --consumption_.consumers;
    throw;
  }
  co_return consumer;
}

awaitable<> session::cancel(std::uint32_t consumer) {
  check_open();
  co_await ask<codec::done>(
      [&](std::string& out, std::uint32_t correlation) { codec::encode_cancel(out, correlation, consumer); });
  --consumption_.consumers;
}

awaitable<std::optional<delivery>> session::receive(time_point deadline) {
  while (consumption_.held.empty()) {
    if (consumption_.stray) throw error_exception(*std::exchange(consumption_.stray, std::nullopt));
    check_open();
    if (steady_clock::now() >= deadline) co_return std::nullopt;
    co_await signals_.delivered.wait_until(deadline);
  }
  delivery taken = std::move(consumption_.held.front());
  consumption_.held.pop_front();
  co_return taken;
}

awaitable<> session::settle(std::uint64_t tag, outcome outcome, bool multiple) {
  check_open();
  co_await outbox_room();
  codec::encode_settle(outbox_, tag, outcome, multiple);
  wake_writer();
}

}  // namespace tidegate::client
