// For tests: a connection and a scripted peer on one thread, so that a test can play both sides of a conversation.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <stdexcept>

#include "client/connection.hpp"
#include "client/scripted_peer.hpp"

namespace tidegate::client {

class conversation {
 protected:
  using side = std::function<awaitable<>()>;

  // Runs both sides to their end. Throws what a side throws, and std::runtime_error if a side has not ended after 20 s.
  void converse(side client_side, side peer_side) {
    int running = 2;
    for (side* const each : {&client_side, &peer_side}) {
      boost::asio::co_spawn(context_, *each, [&](std::exception_ptr thrown) {
        if (thrown) std::rethrow_exception(thrown);
        if (--running == 0) context_.stop();
      });
    }
    context_.run_for(std::chrono::seconds(20));
    if (running != 0) throw std::runtime_error("the conversation stopped moving");
  }

  // Runs a coroutine beside the conversation. An exception from the coroutine ends the conversation.
  void beside(side coroutine) {
    boost::asio::co_spawn(context_, std::move(coroutine), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  }

  awaitable<> open() { co_await client_->open(peer_.where(), options_); }

  awaitable<> pause(std::chrono::milliseconds time) {
    boost::asio::steady_timer timer(context_, time);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }

  // Awaits the coroutine and returns the text of its system_error; empty if it threw none.
  template <class T>
  static awaitable<std::string> ending_of(awaitable<T> coroutine) {
    try {
      co_await std::move(coroutine);
    } catch (const boost::system::system_error& ended) {
      co_return ended.what();
    }
    co_return "";
  }

  template <class T>
  static awaitable<std::optional<error>> refusal_of(awaitable<T> coroutine) {
    try {
      co_await std::move(coroutine);
    } catch (const error_exception& refused) {
      co_return refused.cause;
    }
    co_return std::nullopt;
  }

  static message_view message(std::string_view body) {
    return {.exchange = {}, .routing_key = "q", .key = {}, .headers = {}, .body = body};
  }

  awaitable<std::uint64_t> take_publish() {
    const auto publish = co_await peer_.take<tg_PublishMessage>(TG_PUBLISH_MESSAGE, tg_PublishMessage_fields);
    co_return publish.id;
  }

  boost::asio::io_context context_{1};
  scripted_peer peer_{context_};
  connect_options options_;
  std::unique_ptr<connection> client_ = std::make_unique<connection>(context_.get_executor());
};

}  // namespace tidegate::client
