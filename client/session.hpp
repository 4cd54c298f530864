// One TCP connection to the broker, from connecting to its end; not used again after that. One reader, one writer and
// one watchdog run beside the callers, hold the session by shared_ptr, and stop when it ends.
//
//   callers -> outbox -> writer -> socket -> reader -> waiting callers, held deliveries, the confirmation handler
//
// The caller of a coroutine holds the session until the coroutine returns.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <functional>
#include <memory>

#include "client/codec.hpp"
#include "client/connection_part.hpp"
#include "client/liveness.hpp"
#include "client/publish_ledger.hpp"
#include "client/receive_buffer.hpp"
#include "client/signal.hpp"
#include "client/waiting_table.hpp"

namespace tidegate::client {

class session : public std::enable_shared_from_this<session> {
 public:
  using time_point = signal::time_point;
  using listener = publish_ledger::listener;

  // `told` is called for each confirmation that no publish() waits for; it may be empty.
  session(boost::asio::any_io_executor executor, connect_options options, std::shared_ptr<listener> told);

  awaitable<session_info> start(endpoint where);
  // Ends the session: everything that waits throws system_error with this code and text. Later calls do nothing.
  void end(boost::system::error_code code, std::string_view text);
  bool is_open() const { return open_ && !ending_; }

  // Sends the frame that encode(out, correlation) appends. Waits for the answer at most request_timeout and `wait`.
  template <class Answer, class Encode>
  awaitable<Answer> ask(Encode encode, std::chrono::milliseconds wait = std::chrono::milliseconds(0));

  awaitable<std::uint64_t> send(const message_view& message, publish_options options);
  awaitable<confirmation> publish(const message_view& message, publish_options options);
  awaitable<> drain();

  awaitable<std::uint32_t> consume(std::string_view queue, consume_options options);
  awaitable<> cancel(std::uint32_t consumer);
  awaitable<std::optional<delivery>> receive(time_point deadline);
  awaitable<> settle(std::uint64_t tag, outcome outcome, bool multiple);

 private:
  using reply = std::variant<error, codec::connected, codec::done, codec::listed, codec::produced, codec::fetch_answer,
                             codec::offset_answer, codec::committed_answer, codec::got>;
  struct ending {
    boost::system::error_code code;
    std::string text;
  };

  // Connecting
  awaitable<boost::asio::ip::tcp::resolver::results_type> resolve(const endpoint& where);
  awaitable<> connect(const endpoint& where);
  awaitable<codec::connected> introduce();
  void spawn(awaitable<> (session::*loop)());

  // The loops
  awaitable<> read();
  awaitable<> write();
  awaitable<> watch();

  // Incoming
  void take_frames();
  template <class Answer>
  void take(Answer&& answer);
  void take(codec::skipped) {}
  void take(codec::ping ping);
  void take(codec::refusal&& refusal);
  void take(codec::confirm&& confirm);
  void take(codec::returned returned);
  void take(codec::cancelled&& cancelled);
  void take(delivery&& delivery);
  void end_malformed(std::string_view text);

  // Outgoing
  awaitable<> outbox_room();
  awaitable<> publish_room();
  bool has_publish_room() const;
  std::uint32_t new_correlation();
  void check_appended(std::size_t before);
  void wake_writer();

  // Waiting
  awaitable<reply> reply_to(std::uint32_t correlation, std::chrono::milliseconds timeout);
  void check_open() const;
  void check_not_ended() const;
  // Ends the session if the deadline has passed.
  void check_deadline(time_point deadline, std::string_view what);

  // Each is notified at the end as well.
  struct signals {
    explicit signals(const boost::asio::any_io_executor& executor)
        : outbox_filled(executor), ended(executor), room(executor), delivered(executor), resolved(executor) {}
    void notify_all();

    signal outbox_filled;
    signal ended;
    signal room;       // in the outbox or in the publish window
    signal delivered;  // a delivery is held, or an error for receive()
    signal resolved;
  };
  struct publishes {
    std::shared_ptr<listener> told;
    publish_ledger ledger = {};
    waiting_table<confirmation> waiting = {};
    time_point confirmed_at = {};
  };
  struct consumption {
    std::uint32_t last_consumer = 0;  // the id that was given last
    std::size_t consumers = 0;
    std::deque<delivery> held = {};
    std::optional<error> stray = {};  // an error that belongs to no request, for receive() to throw
  };

  boost::asio::any_io_executor executor_;
  connect_options options_;
  boost::asio::ip::tcp::socket socket_;
  bool open_ = false;
  std::optional<ending> ending_;
  std::size_t frame_bytes_max_ = limits::first_frame_bytes;  // of frames to the broker

  receive_buffer in_;
  std::string outbox_;
  liveness liveness_{limits::heartbeat};
  signals signals_;
  std::uint32_t correlation_ = 0;
  waiting_table<reply> requests_;
  publishes publishes_;
  consumption consumption_;
};

template <class Answer, class Encode>
awaitable<Answer> session::ask(Encode encode, std::chrono::milliseconds wait) {
  co_await outbox_room();
  const std::size_t before = outbox_.size();
  const std::uint32_t correlation = new_correlation();
  encode(outbox_, correlation);
  check_appended(before);
  reply answer = co_await reply_to(correlation, options_.request_timeout + wait);
  if (const auto* refused = std::get_if<error>(&answer)) throw error_exception(*refused);
  if (!std::holds_alternative<Answer>(answer)) end_malformed("an answer of another kind than was asked for");
  if (!std::holds_alternative<Answer>(answer)) check_not_ended();
  co_return std::get<Answer>(std::move(answer));
}

template <class Answer>
void session::take(Answer&& answer) {
  const std::uint32_t correlation = answer.correlation;
  requests_.tell(correlation, std::forward<Answer>(answer));
}

}  // namespace tidegate::client
