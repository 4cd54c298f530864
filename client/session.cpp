#include "client/session.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "broker/base/log.hpp"

namespace tidegate::client {

namespace asio = boost::asio;
namespace conditions = boost::system::errc;
using std::chrono::steady_clock;

namespace {

// The end of a session wakes every waiter, so a wait for the end alone needs no deadline.
constexpr auto until_ended = steady_clock::time_point::max();
constexpr std::size_t header_bytes = 10;

// what() is the text alone: boost's own adds the category, the number and a line of its source.
class session_ended final : public boost::system::system_error {
 public:
  session_ended(boost::system::error_code code, std::string text) : system_error(code), text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

}  // namespace

session::session(asio::any_io_executor executor, connect_options options, std::shared_ptr<listener> told)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      socket_(executor_),
      in_(limits::frame_bytes + header_bytes),
      signals_(executor_),
      publishes_{std::move(told)} {}

void session::signals::notify_all() {
  for (signal* each : {&outbox_filled, &ended, &room, &delivered, &resolved}) each->notify();
}

// ----------------------------------------------------------------------------------------------------- connecting

awaitable<session_info> session::start(endpoint where) {
  co_await connect(where);
  publishes_.confirmed_at = steady_clock::now();
  liveness_.start(publishes_.confirmed_at);
  spawn(&session::read);
  spawn(&session::write);
  codec::connected answer = co_await introduce();
  if (answer.heartbeat.count() > 0) liveness_.set_heartbeat(answer.heartbeat);
  frame_bytes_max_ = answer.largest_frame > 0 ? answer.largest_frame : limits::frame_bytes;
  open_ = true;
  spawn(&session::watch);
  co_return std::move(answer.info);
}

// getaddrinfo cannot be interrupted: it may still run when the session stops waiting for its answer.
awaitable<asio::ip::tcp::resolver::results_type> session::resolve(const endpoint& where) {
  struct lookup {
    asio::ip::tcp::resolver resolver;
    asio::ip::tcp::resolver::results_type found = {};
    std::optional<boost::system::error_code> outcome = {};
  };
  const auto asked = std::make_shared<lookup>(lookup{asio::ip::tcp::resolver(executor_)});
  asked->resolver.async_resolve(where.host, std::to_string(where.port),
                                [asked, self = shared_from_this()](const auto& failure, auto found) {
                                  asked->outcome = failure;
                                  asked->found = std::move(found);
                                  self->signals_.resolved.notify();
                                });
  const time_point deadline = steady_clock::now() + options_.request_timeout;
  while (!asked->outcome) {
    check_not_ended();
    check_deadline(deadline, "the address of the broker");
    co_await signals_.resolved.wait_until(deadline);
  }
  check_not_ended();
  if (*asked->outcome)
    end(*asked->outcome, fmt::format("cannot resolve {}: {}", where.host, asked->outcome->message()));
  check_not_ended();
  co_return std::move(asked->found);
}

awaitable<> session::connect(const endpoint& where) {
  const auto addresses = co_await resolve(where);
  asio::steady_timer deadline(executor_, options_.request_timeout);
  deadline.async_wait([self = shared_from_this()](const auto& cancelled) {
    if (!cancelled) self->end(conditions::make_error_code(conditions::timed_out), "no answer in time");
  });
  const auto [failure, address] = co_await asio::async_connect(socket_, addresses, asio::as_tuple(asio::use_awaitable));
  check_not_ended();
  if (failure) end(failure, failure.message());
  check_not_ended();
  // Frames are already gathered in the outbox; Nagle's algorithm would only delay the last one.
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

awaitable<codec::connected> session::introduce() {
  try {
    co_return co_await ask<codec::connected>(
        [this](std::string& out, std::uint32_t correlation) { codec::encode_connect(out, correlation, options_); });
  } catch (const error_exception& refused) {
    end(conditions::make_error_code(conditions::connection_refused), refused.cause.text);
    throw;
  }
}

void session::spawn(awaitable<> (session::*loop)()) {
  auto body = [self = shared_from_this(), loop]() -> awaitable<> { co_await (self.get()->*loop)(); };
  // The loops throw nothing of their own; what the confirmation handler throws leaves the executor's run().
  asio::co_spawn(executor_, std::move(body), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
}

void session::end(boost::system::error_code code, std::string_view text) {
  if (ending_) return;
  ending_ = ending{code, std::string(text)};
  boost::system::error_code ignored;
  socket_.close(ignored);
  signals_.notify_all();
  requests_.notify();
  publishes_.waiting.notify();
}

// ----------------------------------------------------------------------------------------------------- the loops

awaitable<> session::read() {
  while (!ending_) {
    const std::span<char> room = in_.room();
    const auto [failure, size] =
        co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), asio::as_tuple(asio::use_awaitable));
    if (failure == asio::error::eof) end(failure, "the broker closed the connection");
    if (failure) end(failure, fmt::format("reading from the broker: {}", failure.message()));
    liveness_.received(steady_clock::now());
    in_.filled(size);
    take_frames();
  }
}

// Writes everything in the outbox at once. Frames that are added meanwhile go with the next write.
awaitable<> session::write() {
  std::string writing;
  while (!ending_) {
    if (outbox_.empty()) {
      co_await signals_.outbox_filled.wait_until(until_ended);
      continue;
    }
    writing.swap(outbox_);
    signals_.room.notify();
    liveness_.begin_write(steady_clock::now());
    const auto [failure, size] =
        co_await asio::async_write(socket_, asio::buffer(writing), asio::as_tuple(asio::use_awaitable));
    if (failure) end(failure, fmt::format("writing to the broker: {}", failure.message()));
    liveness_.end_write(steady_clock::now());
    writing.clear();
  }
}

awaitable<> session::watch() {
  while (!ending_) {
    const time_point now = steady_clock::now();
    if (now >= liveness_.dead_at()) {
      const auto limit = std::chrono::duration_cast<std::chrono::seconds>(liveness_.silence_max());
      end(conditions::make_error_code(conditions::timed_out),
          fmt::format("nothing went through to or from the broker for {} s", limit.count()));
      break;
    }
    if (now >= liveness_.ping_at()) {
      liveness_.pinged(now);
      codec::encode_ping(outbox_, 0);
      wake_writer();
    }
    co_await signals_.ended.wait_until(std::min(liveness_.dead_at(), liveness_.ping_at()));
  }
}

// ------------------------------------------------------------------------------------------------------ incoming

void session::take_frames() {
  while (!ending_) {
    const auto found = codec::split(in_.unread(), limits::frame_bytes);
    if (!found) return end_malformed(found.error().text);
    if (!found->has_value()) return;
    auto received = codec::decode(**found);
    if (!received) return end_malformed(received.error().text);
    in_.consume((*found)->size);
    std::visit([this](auto&& message) { take(std::move(message)); }, std::move(*received));
  }
}

void session::take(codec::ping ping) {
  codec::encode_pong(outbox_, ping.ticks);
  wake_writer();
}

// An error that belongs to no request comes from a settlement or a deleted queue: receive() reports it.
void session::take(codec::refusal&& refusal) {
  const bool answered = refusal.correlation != 0 && requests_.tell(refusal.correlation, refusal.cause);
  if (refusal.closing) {
    end(conditions::make_error_code(conditions::connection_aborted), refusal.cause.text);
  } else if (!answered && refusal.correlation == 0 && consumption_.consumers > 0) {
    if (!consumption_.stray) consumption_.stray = std::move(refusal.cause);
    signals_.delivered.notify();
  } else if (!answered) {
    log::warning("broker: {}: {}", name(refusal.cause.code), refusal.cause.text);
  }
}

void session::take(codec::cancelled&& cancelled) {
  if (consumption_.consumers == 0) return;
  --consumption_.consumers;
  const std::string text =
      fmt::format("queue '{}' was deleted, so consumer {} has ended", cancelled.queue, cancelled.consumer);
  if (!consumption_.stray) consumption_.stray = error{errc::not_found, text, "queue"};
  signals_.delivered.notify();
}

void session::take(codec::confirm&& confirm) {
  const bool known = publishes_.ledger.settle(confirm, [this](const confirmation& settled) {
    if (!publishes_.waiting.tell(settled.id, settled) && *publishes_.told) (*publishes_.told)(settled);
  });
  if (!known) return end_malformed("a Confirm of a publish that was never sent");
  publishes_.confirmed_at = steady_clock::now();
  signals_.room.notify();
}

void session::take(codec::returned returned) {
  if (!publishes_.ledger.unroutable(returned.id)) end_malformed("a Return of a publish that was never sent");
}

void session::take(delivery&& delivery) {
  if (consumption_.held.size() >= options_.deliveries_held_max) {
    return end(conditions::make_error_code(conditions::no_buffer_space),
               fmt::format("{} deliveries were received and not taken", consumption_.held.size()));
  }
  consumption_.held.push_back(std::move(delivery));
  signals_.delivered.notify();
}

void session::end_malformed(std::string_view text) { end(conditions::make_error_code(conditions::bad_message), text); }

// --------------------------------------------------------------------------------------------------------- waiting

awaitable<session::reply> session::reply_to(std::uint32_t correlation, std::chrono::milliseconds timeout) {
  waiting_table<reply>::place place(requests_, correlation, executor_);
  const time_point deadline = steady_clock::now() + timeout;
  while (!place.result()) {
    check_not_ended();
    check_deadline(deadline, "an answer of the broker");
    co_await place.wait_until(deadline);
  }
  co_return std::move(*place.result());
}

void session::check_open() const {
  check_not_ended();
  if (!open_) throw session_ended(asio::error::not_connected, "not connected to a broker yet");
}

void session::check_not_ended() const {
  if (ending_) throw session_ended(ending_->code, ending_->text);
}

void session::check_deadline(time_point deadline, std::string_view what) {
  if (steady_clock::now() < deadline) return;
  end(conditions::make_error_code(conditions::timed_out), fmt::format("waited too long for {}", what));
  check_not_ended();
}

}  // namespace tidegate::client
