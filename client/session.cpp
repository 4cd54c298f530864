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

// An ended session wakes everything itself, so what waits only for that needs no deadline of its own.
constexpr auto until_ended = steady_clock::time_point::max();
constexpr std::size_t header_bytes = 10;

// what() is the sentence alone: boost's own adds the category, the number and a line of its source.
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
      told_(std::move(told)),
      socket_(executor_),
      in_(limits::frame_bytes + header_bytes),
      writer_(executor_),
      watchdog_(executor_),
      room_(executor_),
      deliveries_(executor_),
      resolved_(executor_) {}

// ----------------------------------------------------------------------------------------------------- beginning

awaitable<session_info> session::start(endpoint where) {
  co_await connect(where);
  received_at_ = sent_at_ = pinged_at_ = confirmed_at_ = steady_clock::now();
  spawn(&session::read);
  spawn(&session::write);
  codec::connected answer = co_await introduce();
  if (answer.heartbeat.count() > 0) heartbeat_ = answer.heartbeat;
  frame_bytes_max_ = answer.largest_frame > 0 ? answer.largest_frame : limits::frame_bytes;
  open_ = true;
  spawn(&session::watch);
  co_return std::move(answer.info);
}

// getaddrinfo cannot be interrupted: its answer comes as a message, and we stop waiting for it in time.
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
                                  self->resolved_.notify();
                                });
  const time_point deadline = steady_clock::now() + options_.request_timeout;
  while (!asked->outcome) {
    check_not_ended();
    check_deadline(deadline, "the address of the broker");
    co_await resolved_.wait_until(deadline);
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
  // Frames are gathered here already; Nagle's algorithm would only hold the last one back.
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
  for (signal* waiting : {&writer_, &watchdog_, &room_, &deliveries_, &resolved_}) waiting->notify();
  requests_.notify();
  publishes_.notify();
}

// ----------------------------------------------------------------------------------------------------- the loops

awaitable<> session::read() {
  while (!ending_) {
    const std::span<char> room = in_.room();
    const auto [failure, size] =
        co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), asio::as_tuple(asio::use_awaitable));
    if (failure == asio::error::eof) end(failure, "the broker closed the connection");
    if (failure) end(failure, fmt::format("reading from the broker: {}", failure.message()));
    received_at_ = steady_clock::now();
    in_.filled(size);
    take_frames();
  }
}

// Takes all that has gathered in the outbox as one write; what comes meanwhile gathers for the next.
awaitable<> session::write() {
  std::string writing;
  while (!ending_) {
    if (outbox_.empty()) {
      co_await writer_.wait_until(until_ended);
      continue;
    }
    writing.swap(outbox_);
    room_.notify();
    writing_since_ = steady_clock::now();
    const auto [failure, size] =
        co_await asio::async_write(socket_, asio::buffer(writing), asio::as_tuple(asio::use_awaitable));
    if (failure) end(failure, fmt::format("writing to the broker: {}", failure.message()));
    writing_since_.reset();
    sent_at_ = steady_clock::now();
    writing.clear();
  }
}

session::time_point session::dead_at() const {
  return std::min(received_at_, writing_since_.value_or(time_point::max())) + 2 * heartbeat_;
}

// Also when only the broker is silent: its Pong tells a quiet broker from a dead one.
session::time_point session::ping_at() const {
  return std::max(pinged_at_, std::min(received_at_, sent_at_)) + heartbeat_ * 3 / 4;
}

awaitable<> session::watch() {
  while (!ending_) {
    const time_point now = steady_clock::now();
    if (now >= dead_at()) {
      const auto limit = std::chrono::duration_cast<std::chrono::seconds>(2 * heartbeat_);
      end(conditions::make_error_code(conditions::timed_out),
          fmt::format("nothing went through to or from the broker for {} s", limit.count()));
      break;
    }
    if (now >= ping_at()) {
      pinged_at_ = now;
      codec::encode_ping(outbox_, 0);
      wake_writer();
    }
    co_await watchdog_.wait_until(std::min(dead_at(), ping_at()));
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

// An error of no request comes from a settlement or from a queue that went away: whoever consumes has to know.
void session::take(codec::refusal&& refusal) {
  const bool answered = refusal.correlation != 0 && requests_.tell(refusal.correlation, refusal.cause);
  if (refusal.closing) {
    end(conditions::make_error_code(conditions::connection_aborted), refusal.cause.text);
  } else if (!answered && refusal.correlation == 0 && consumers_ > 0) {
    if (!stray_) stray_ = std::move(refusal.cause);
    deliveries_.notify();
  } else if (!answered) {
    log::warning("broker: {}: {}", name(refusal.cause.code), refusal.cause.text);
  }
}

void session::take(codec::confirm&& confirm) {
  const bool known = ledger_.settle(confirm, [this](const confirmation& settled) {
    if (!publishes_.tell(settled.id, settled) && *told_) (*told_)(settled);
  });
  if (!known) return end_malformed("a Confirm of a publish that was never sent");
  confirmed_at_ = steady_clock::now();
  room_.notify();
}

void session::take(codec::returned returned) {
  if (!ledger_.unroutable(returned.id)) end_malformed("a Return of a publish that was never sent");
}

void session::take(delivery&& delivery) {
  if (held_.size() >= options_.deliveries_held_max) {
    return end(conditions::make_error_code(conditions::no_buffer_space),
               fmt::format("{} deliveries were received and not taken", held_.size()));
  }
  held_.push_back(std::move(delivery));
  deliveries_.notify();
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
