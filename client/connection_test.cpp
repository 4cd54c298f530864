// Conversations between a connection and a scripted peer on one thread. Each says both sides; a conversation that
// stops moving fails after some seconds.
#include "client/connection.hpp"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "broker/base/limits.hpp"
#include "client/scripted_peer.hpp"

namespace tidegate::client {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto patience = 20s;

class connection_test : public testing::Test {
 protected:
  // Both sides to their end.
  void converse(std::function<awaitable<>()> client_side, std::function<awaitable<>()> peer_side) {
    int running = 2;
    for (auto* side : {&client_side, &peer_side}) {
      boost::asio::co_spawn(context_, *side, [&](std::exception_ptr thrown) {
        if (thrown) std::rethrow_exception(thrown);
        if (--running == 0) context_.stop();
      });
    }
    context_.run_for(patience);
    EXPECT_EQ(running, 0) << "the conversation stopped moving";
  }

  awaitable<> open() {
    const session_info info = co_await client_->open(peer_.where(), options_);
    EXPECT_EQ(info.server, "scripted");
  }

  awaitable<> pause(std::chrono::milliseconds time) {
    boost::asio::steady_timer timer(context_, time);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }

  // What a system_error of this coroutine says; empty if it threw none.
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

TEST_F(connection_test, opens_and_tells_who_answered) {
  converse(
      [&]() -> awaitable<> {
        EXPECT_FALSE(client_->is_open());
        const session_info info = co_await client_->open(peer_.where(), options_);
        EXPECT_TRUE(client_->is_open());
        EXPECT_EQ(info.gateway, "gateway");
        EXPECT_EQ(info.incarnation, "incarnation");
        EXPECT_EQ(info.producer_sequence, 41u);
      },
      [&]() -> awaitable<> { co_await peer_.welcome(); });
}

TEST_F(connection_test, tells_why_the_broker_does_not_want_it) {
  converse(
      [&]() -> awaitable<> {
        const auto refused = co_await refusal_of(client_->open(peer_.where(), options_));
        EXPECT_EQ(refused.value().code, errc::not_allowed);
        EXPECT_EQ(refused.value().text, "wrong token");
        EXPECT_FALSE(client_->is_open());
      },
      [&]() -> awaitable<> {
        co_await peer_.accept();
        tg_Error refusal = {};
        refusal.correlation = co_await peer_.take_request(TG_CONNECT);
        refusal.closing = true;
        refusal.code = tg_Code_NOT_ALLOWED;
        refusal.text = wire_text("wrong token");
        co_await peer_.give(TG_ERROR, tg_Error_fields, &refusal);
      });
}

TEST_F(connection_test, cannot_be_opened_where_nobody_listens) {
  endpoint nobody;
  {
    scripted_peer gone(context_);
    nobody = gone.where();
  }
  converse(
      [&]() -> awaitable<> {
        EXPECT_THAT(co_await ending_of(client_->open(nobody, options_)), HasSubstr("Connection refused"));
      },
      []() -> awaitable<> { co_return; });
}

TEST_F(connection_test, gives_up_opening_in_time) {
  options_.request_timeout = 200ms;
  converse(
      [&]() -> awaitable<> {
        EXPECT_THAT(co_await ending_of(client_->open(peer_.where(), options_)), HasSubstr("waited too long"));
      },
      [&]() -> awaitable<> {
        co_await peer_.accept();
        co_await peer_.hear_end();
      });
}

TEST_F(connection_test, refuses_calls_before_it_is_open) {
  converse(
      [&]() -> awaitable<> {
        EXPECT_THAT(co_await ending_of(client_->list("queues")), HasSubstr("not connected"));
        EXPECT_THAT(co_await ending_of(client_->publish(message("m"))), HasSubstr("not connected"));
        EXPECT_THAT(co_await ending_of(client_->receive()), HasSubstr("not connected"));
      },
      []() -> awaitable<> { co_return; });
}

TEST_F(connection_test, tells_cumulative_confirms_one_by_one) {
  std::vector<std::uint64_t> told;
  client_->on_confirmation([&](const confirmation& settled) { told.push_back(settled.id); });
  converse(
      [&]() -> awaitable<> {
        co_await open();
        for (int i = 0; i < 4; ++i) co_await client_->send(message("m"));
        co_await client_->drain();
        EXPECT_THAT(told, ElementsAre(1, 2, 3, 4));
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        for (std::uint64_t id = 1; id <= 4; ++id) EXPECT_EQ(co_await take_publish(), id);
        co_await peer_.give_confirm(3, true);
        co_await peer_.give_confirm(4, false);
      });
}

TEST_F(connection_test, tells_what_came_back_and_what_was_refused) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        const confirmation first = co_await client_->publish(message("m"), {.mandatory = true});
        EXPECT_TRUE(first.unroutable);
        EXPECT_FALSE(first.failure);
        const confirmation second = co_await client_->publish(message("m"));
        EXPECT_EQ(second.failure.value().code, errc::store_full);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        tg_Return returned = {};
        returned.id = co_await take_publish();
        co_await peer_.give(TG_RETURN, tg_Return_fields, &returned);
        co_await peer_.give_confirm(1, false);
        tg_Confirm refused = {};
        refused.id = co_await take_publish();
        refused.code = tg_Code_STORE_FULL;
        co_await peer_.give(TG_CONFIRM, tg_Confirm_fields, &refused);
      });
}

TEST_F(connection_test, holds_publishes_back_at_the_window) {
  options_.publish_window = 2;
  int sent = 0;
  converse(
      [&]() -> awaitable<> {
        co_await open();
        for (; sent < 3; ++sent) co_await client_->send(message("m"));
        co_await client_->drain();
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await take_publish();
        EXPECT_EQ(co_await take_publish(), 2u);
        co_await pause(50ms);
        EXPECT_EQ(sent, 2);
        co_await peer_.give_confirm(1, false);
        EXPECT_EQ(co_await take_publish(), 3u);
        co_await peer_.give_confirm(3, true);
      });
}

TEST_F(connection_test, gives_up_on_a_broker_that_never_confirms) {
  options_.publish_window = 1;
  options_.request_timeout = 200ms;
  converse(
      [&]() -> awaitable<> {
        co_await open();
        co_await client_->send(message("m"));
        EXPECT_THAT(co_await ending_of(client_->send(message("m"))), HasSubstr("waited too long for a confirm"));
        EXPECT_FALSE(client_->is_open());
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await peer_.hear_end();
      });
}

TEST_F(connection_test, checks_a_message_before_it_is_sent) {
  const std::string large(3'000, 'x');
  converse(
      [&]() -> awaitable<> {
        co_await open();
        message_view wrong = message("m");
        wrong.routing_key = std::string_view(large).substr(0, 256);
        EXPECT_EQ((co_await refusal_of(client_->publish(wrong))).value().field, "routing_key");
        EXPECT_EQ((co_await refusal_of(client_->publish(message(large)))).value().code, errc::too_large);
        EXPECT_FALSE((co_await client_->publish(message("m"))).failure);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome(30, 2'000);
        EXPECT_EQ(co_await take_publish(), 1u);
        co_await peer_.give_confirm(1, false);
      });
}

TEST_F(connection_test, gives_answers_to_whom_they_belong) {
  const auto count = [&]() -> awaitable<> { EXPECT_EQ(co_await client_->declare_queue("q"), 12u); };
  converse(
      [&]() -> awaitable<> {
        co_await open();
        boost::asio::co_spawn(context_, count, [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
        const auto refused = co_await refusal_of(client_->bind("e", "queue", "nowhere", "k"));
        EXPECT_EQ(refused.value().code, errc::not_found);
        EXPECT_EQ(refused.value().field, "target");
        co_await pause(10ms);
        EXPECT_TRUE(client_->is_open());
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        tg_Error refusal = {};
        refusal.code = tg_Code_NOT_FOUND;
        refusal.field = wire_text("target");
        const std::uint32_t declared = co_await peer_.take_request(TG_DECLARE_QUEUE);
        refusal.correlation = co_await peer_.take_request(TG_BIND);
        co_await peer_.give(TG_ERROR, tg_Error_fields, &refusal);
        co_await peer_.give_done(declared);
      });
}

TEST_F(connection_test, receives_deliveries_and_settles_them) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ(co_await client_->consume("q", 10), 1u);
        const delivery first = co_await client_->receive();
        EXPECT_EQ(first.message.body, "body 7");
        EXPECT_EQ((co_await client_->receive_for(5s)).value().tag, 8u);
        EXPECT_FALSE(co_await client_->receive_for(20ms));
        co_await client_->settle(8, outcome::requeue, true);
        co_await client_->cancel(1);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        const auto consume = co_await peer_.take<tg_Consume>(TG_CONSUME, tg_Consume_fields);
        EXPECT_EQ(plain(consume.queue), "q");
        EXPECT_EQ(consume.prefetch, 10u);
        co_await peer_.give_done(consume.correlation);
        co_await peer_.give_deliveries(7, 2);
        const auto settle = co_await peer_.take<tg_Settle>(TG_SETTLE, tg_Settle_fields);
        EXPECT_EQ(settle.tag, 8u);
        EXPECT_TRUE(settle.multiple);
        EXPECT_EQ(settle.outcome, tg_Settle_Outcome_REQUEUE);
        const std::uint32_t cancelled = co_await peer_.take_request(TG_CANCEL);
        co_await peer_.give_done(cancelled);
      });
}

TEST_F(connection_test, tells_the_consumer_an_error_of_no_request) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        co_await client_->consume("q", 1);
        EXPECT_EQ((co_await refusal_of(client_->receive())).value().text, "the queue was deleted");
        EXPECT_TRUE(client_->is_open());
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        const std::uint32_t consumed = co_await peer_.take_request(TG_CONSUME);
        co_await peer_.give_done(consumed);
        tg_Error gone = {};
        gone.code = tg_Code_NOT_FOUND;
        gone.text = wire_text("the queue was deleted");
        co_await peer_.give(TG_ERROR, tg_Error_fields, &gone);
      });
}

TEST_F(connection_test, closes_when_deliveries_are_not_taken) {
  options_.deliveries_held_max = 3;
  converse(
      [&]() -> awaitable<> {
        co_await open();
        co_await client_->consume("q", 0, true);
        co_await pause(50ms);
        for (std::uint64_t tag = 1; tag <= 3; ++tag) EXPECT_EQ((co_await client_->receive()).tag, tag);
        EXPECT_THAT(co_await ending_of(client_->receive()), HasSubstr("3 deliveries were received and not taken"));
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        const std::uint32_t consumed = co_await peer_.take_request(TG_CONSUME);
        co_await peer_.give_done(consumed);
        co_await peer_.give_deliveries(1, 4);
      });
}

TEST_F(connection_test, waits_for_a_long_poll_beyond_the_request_timeout) {
  options_.request_timeout = 100ms;
  fetch_request request{.topic = "t", .partition = 2, .offset = 5};
  request.max_wait = 5s;
  converse(
      [&]() -> awaitable<> {
        co_await open();
        const fetched answer = co_await client_->fetch(request);
        EXPECT_EQ(answer.batches, "batches");
        EXPECT_EQ(answer.high_watermark, 9u);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        const auto asked = co_await peer_.take<tg_Fetch>(TG_FETCH, tg_Fetch_fields);
        EXPECT_EQ(asked.offset, 5u);
        EXPECT_EQ(asked.max_wait_ms, 5'000u);
        co_await pause(300ms);
        const tg_Fetched answer{.correlation = asked.correlation,
                                .code = tg_Code_OK,
                                .log_start = 1,
                                .high_watermark = 9,
                                .batches = wire_text("batches")};
        co_await peer_.give(TG_FETCHED, tg_Fetched_fields, &answer);
      });
}

TEST_F(connection_test, reads_and_moves_offsets) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ((co_await client_->list_offset("t", 0, timestamp_end)).offset, 6u);
        co_await client_->commit_offset("g", "t", 0, 6, "note");
        EXPECT_EQ((co_await client_->fetch_offset("g", "t", 0)).value().offset, 6u);
        EXPECT_EQ(co_await client_->produce("t", 0, "batch"), 6u);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        tg_OffsetListed listed = {};
        listed.correlation = co_await peer_.take_request(TG_LIST_OFFSET);
        listed.offset = 6;
        co_await peer_.give(TG_OFFSET_LISTED, tg_OffsetListed_fields, &listed);
        const auto commit = co_await peer_.take<tg_CommitOffset>(TG_COMMIT_OFFSET, tg_CommitOffset_fields);
        EXPECT_EQ(plain(commit.metadata), "note");
        co_await peer_.give_done(commit.correlation);
        tg_OffsetFetched committed = {};
        committed.correlation = co_await peer_.take_request(TG_FETCH_OFFSET);
        committed.found = true;
        committed.offset = 6;
        co_await peer_.give(TG_OFFSET_FETCHED, tg_OffsetFetched_fields, &committed);
        tg_Produced produced = {};
        produced.correlation = co_await peer_.take_request(TG_PRODUCE);
        produced.base_offset = 6;
        co_await peer_.give(TG_PRODUCED, tg_Produced_fields, &produced);
      });
}

TEST_F(connection_test, ends_requests_when_the_peer_goes_and_opens_again) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_THAT(co_await ending_of(client_->list("queues")), HasSubstr("the broker closed the connection"));
        EXPECT_FALSE(client_->is_open());
        co_await open();
        const topic_definition topic{.name = "t"};
        EXPECT_EQ(co_await client_->declare_topic(topic), 4u);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await peer_.take_request(TG_LIST);
        peer_.close();
        co_await peer_.welcome();
        const std::uint32_t declared = co_await peer_.take_request(TG_DECLARE_TOPIC);
        co_await peer_.give_done(declared);
      });
}

TEST_F(connection_test, tells_the_reason_of_a_closing_error_to_all_who_wait) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_THAT(co_await ending_of(client_->list("queues")), HasSubstr("going down"));
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await peer_.take_request(TG_LIST);
        tg_Error closing = {};
        closing.closing = true;
        closing.code = tg_Code_NOT_ALLOWED;
        closing.text = wire_text("going down");
        co_await peer_.give(TG_ERROR, tg_Error_fields, &closing);
      });
}

struct nonsense {
  std::string bytes;
  std::string said;
};

class connection_nonsense_test : public connection_test, public testing::WithParamInterface<nonsense> {};

TEST_P(connection_nonsense_test, ends_with_a_clear_error) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_THAT(co_await ending_of(client_->list("queues")), HasSubstr(GetParam().said));
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await peer_.take_request(TG_LIST);
        co_await peer_.give_bytes(GetParam().bytes);
        co_await peer_.hear_end();
      });
}

INSTANTIATE_TEST_SUITE_P(peer, connection_nonsense_test,
                         testing::Values(nonsense{"HTTP/1.1 400 Bad Request\r\n", "malformed frame"},
                                         nonsense{"\xC2\x01\xFF\xFF\xFF\x7F", "over the limit"},
                                         nonsense{"\xC2\x01\x01\x08", "malformed Done"},
                                         nonsense{"\xC2\x01\x02\x08\x02", "an answer of another kind"},
                                         nonsense{"\xFA\x01\x02\x08\x01", "a publish that was never sent"}));

TEST_F(connection_test, skips_members_it_does_not_know) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ(co_await client_->declare_queue("q"), 12u);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        const std::uint32_t declared = co_await peer_.take_request(TG_DECLARE_QUEUE);
        co_await peer_.give_bytes(std::string("\xBA\x06\x03xyz", 6));
        co_await peer_.give_done(declared);
      });
}

TEST_F(connection_test, takes_a_frame_byte_by_byte) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ(co_await client_->declare_queue("q"), 3u);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await peer_.take_request(TG_DECLARE_QUEUE);
        for (const char byte : std::string("\xC2\x01\x04\x08\x02\x18\x03", 7)) {
          co_await peer_.give_bytes(std::string(1, byte));
          co_await pause(1ms);
        }
      });
}

TEST_F(connection_test, pings_when_quiet_and_ends_after_twice_the_heartbeat) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        const auto began = std::chrono::steady_clock::now();
        EXPECT_THAT(co_await ending_of(client_->receive()), HasSubstr("for 2 s"));
        EXPECT_GE(std::chrono::steady_clock::now() - began, 1900ms);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome(1);
        co_await peer_.take<tg_Ping>(TG_PING, tg_Ping_fields);
        co_await peer_.hear_end();
      });
}

TEST_F(connection_test, lives_on_pongs_and_answers_pings) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ(co_await client_->declare_queue("q"), 12u);
        co_await pause(2500ms);
        EXPECT_TRUE(client_->is_open());
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome(1);
        co_await peer_.give_done(co_await peer_.take_request(TG_DECLARE_QUEUE));
        const tg_Ping ping{.ticks = 77};
        co_await peer_.give(TG_PING, tg_Ping_fields, &ping);
        EXPECT_EQ((co_await peer_.take<tg_Pong>(TG_PONG, tg_Pong_fields)).ticks, 77u);
        for (int i = 0; i < 3; ++i) {
          co_await peer_.take<tg_Ping>(TG_PING, tg_Ping_fields);
          const tg_Pong pong{.ticks = 0, .unix_ms = 0};
          co_await peer_.give(TG_PONG, tg_Pong_fields, &pong);
        }
      });
}

TEST_F(connection_test, ends_everything_that_waits_when_closed) {
  std::string receiving, listing;
  const auto receive = [&]() -> awaitable<> { receiving = co_await ending_of(client_->receive()); };
  const auto list = [&]() -> awaitable<> { listing = co_await ending_of(client_->list("queues")); };
  converse(
      [&]() -> awaitable<> {
        co_await open();
        for (const auto& waiting : {std::function<awaitable<>()>(receive), std::function<awaitable<>()>(list)}) {
          boost::asio::co_spawn(context_, waiting, [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
        }
        co_await pause(20ms);
        client_->close();
        client_->close();
        co_await pause(20ms);
        EXPECT_THAT(receiving, HasSubstr("closed"));
        EXPECT_THAT(listing, HasSubstr("closed"));
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await peer_.hear_end();
      });
}

TEST_F(connection_test, may_be_destroyed_while_coroutines_wait) {
  std::string receiving, publishing;
  const auto receive = [&]() -> awaitable<> { receiving = co_await ending_of(client_->receive()); };
  const auto publish = [&]() -> awaitable<> {
    const message_view sent = message("m");
    publishing = co_await ending_of(client_->publish(sent));
  };
  converse(
      [&]() -> awaitable<> {
        co_await open();
        for (const auto& waiting : {std::function<awaitable<>()>(receive), std::function<awaitable<>()>(publish)}) {
          boost::asio::co_spawn(context_, waiting, [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
        }
        co_await pause(20ms);
        client_.reset();
        co_await pause(20ms);
        EXPECT_THAT(receiving, HasSubstr("closed"));
        EXPECT_THAT(publishing, HasSubstr("closed"));
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        co_await peer_.hear_end();
      });
}

TEST_F(connection_test, may_be_destroyed_while_it_opens) {
  std::string opening;
  const auto begin = [&]() -> awaitable<> {
    opening = co_await ending_of(client_->open(peer_.where(), options_));
  };
  converse(
      [&]() -> awaitable<> {
        boost::asio::co_spawn(context_, begin, [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
        co_await pause(20ms);
        client_.reset();
        co_await pause(20ms);
        EXPECT_THAT(opening, HasSubstr("closed"));
      },
      [&]() -> awaitable<> {
        co_await peer_.accept();
        co_await peer_.hear_end();
      });
}

// The executor's context goes while coroutines still wait in it: nothing may be left behind or touched.
class connection_lifetime : public testing::Test {
 protected:
  awaitable<> open_and_ask(connection& client) {
    const connect_options options;
    co_await client.open(peer_->where(), options);
    co_await client.list("queues");
  }

  void start(std::function<awaitable<>()> client_side) {
    boost::asio::co_spawn(*context_, [&]() -> awaitable<> { co_await peer_->welcome(); }, [](std::exception_ptr) {});
    boost::asio::co_spawn(*context_, std::move(client_side), [](std::exception_ptr) {});
    context_->run_for(100ms);
    peer_.reset();
  }

  std::unique_ptr<boost::asio::io_context> context_ = std::make_unique<boost::asio::io_context>();
  std::unique_ptr<scripted_peer> peer_ = std::make_unique<scripted_peer>(*context_);
};

TEST_F(connection_lifetime, ends_before_a_context_that_does_not_run_again) {
  auto client = std::make_unique<connection>(context_->get_executor());
  start([&]() -> awaitable<> { co_await open_and_ask(*client); });
  EXPECT_TRUE(client->is_open());
  client.reset();
  context_.reset();
}

TEST_F(connection_lifetime, ends_inside_a_coroutine_that_its_context_destroys) {
  start([&]() -> awaitable<> {
    connection client(context_->get_executor());
    co_await open_and_ask(client);
  });
  context_.reset();
}

}  // namespace
}  // namespace tidegate::client
