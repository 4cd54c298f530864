// One TCP connection to the broker, from its beginning to its end; never used again after that. One reader, one
// writer and one watchdog run beside the callers, hold it by shared_ptr, and stop when it ends.
//
//   callers -> outbox -> writer -> socket -> reader -> waiting callers, deliveries held, the confirmation handler
//
// Every function that is a coroutine needs its caller to hold the session until it returns.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <functional>
#include <memory>

#include "client/codec.hpp"
#include "client/connection.hpp"
#include "client/publish_ledger.hpp"
#include "client/receive_buffer.hpp"
#include "client/signal.hpp"
#include "client/waiting_table.hpp"

namespace tidegate::client {

class session : public std::enable_shared_from_this<session> {
 public:
  using time_point = signal::time_point;
  using listener = publish_ledger::listener;

  // `told` is looked at for each confirmation that no publish() waits for; it may be empty.
  session(boost::asio::any_io_executor executor, connect_options options, std::shared_ptr<listener> told);

  awaitable<session_info> start(endpoint where);
  // The first call counts: everything that waits throws system_error, whose code and what() are these.
  void end(boost::system::error_code code, std::string_view text);
  bool is_open() const { return open_ && !ending_; }

  // Sends what encode(out, correlation) appends and waits `wait` longer than request_timeout for the answer.
  template <class Answer, class Encode>
  awaitable<Answer> ask(Encode encode, std::chrono::milliseconds wait = std::chrono::milliseconds(0));

  awaitable<std::uint64_t> send(const message_view& message, publish_options options);
  awaitable<confirmation> publish(const message_view& message, publish_options options);
  awaitable<> drain();

  awaitable<std::uint32_t> consume(std::string_view queue, std::uint32_t prefetch, bool auto_ack);
  awaitable<> cancel(std::uint32_t consumer);
  awaitable<std::optional<delivery>> receive(time_point deadline);
  awaitable<> settle(std::uint64_t tag, outcome outcome, bool multiple);

 private:
  using reply = std::variant<error, codec::connected, codec::done, codec::listed, codec::produced, codec::fetch_answer,
                             codec::offset_answer, codec::committed_answer>;
  struct ending {
    boost::system::error_code code;
    std::string text;
  };

  // Beginning
  awaitable<boost::asio::ip::tcp::resolver::results_type> resolve(const endpoint& where);
  awaitable<> connect(const endpoint& where);
  awaitable<codec::connected> introduce();
  void spawn(awaitable<> (session::*loop)());

  // The loops
  awaitable<> read();
  awaitable<> write();
  awaitable<> watch();
  time_point dead_at() const;
  time_point ping_at() const;

  // Incoming
  void take_frames();
  template <class Answer>
  void take(Answer&& answer);
  void take(codec::skipped) {}
  void take(codec::ping ping);
  void take(codec::refusal&& refusal);
  void take(codec::confirm&& confirm);
  void take(codec::returned returned);
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
  // Ends the session when the time is over.
  void check_deadline(time_point deadline, std::string_view what);

  boost::asio::any_io_executor executor_;
  connect_options options_;
  std::shared_ptr<listener> told_;
  boost::asio::ip::tcp::socket socket_;
  bool open_ = false;
  std::optional<ending> ending_;
  std::chrono::steady_clock::duration heartbeat_{limits::heartbeat};
  std::size_t frame_bytes_max_ = limits::first_frame_bytes;  // that the broker takes

  receive_buffer in_;
  std::string outbox_;
  time_point received_at_;
  time_point sent_at_;
  time_point pinged_at_;
  std::optional<time_point> writing_since_;
  signal writer_;      // the outbox has something, or the end
  signal watchdog_;    // the end
  signal room_;        // in the outbox or in the publish window, or the end
  signal deliveries_;  // held, or an error for receive(), or the end
  signal resolved_;

  std::uint32_t correlation_ = 0;
  waiting_table<reply> requests_;
  publish_ledger ledger_;
  waiting_table<confirmation> publishes_;
  time_point confirmed_at_;
  std::uint32_t consumers_made_ = 0;
  std::size_t consumers_ = 0;
  std::deque<delivery> held_;
  std::optional<error> stray_;  // an error of no request, for receive() to throw
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
