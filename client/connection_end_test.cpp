// Tests the ends of a connection: by the peer, by nonsense, by silence, by its owner.
#include <gmock/gmock.h>

#include "client/conversation.hpp"

namespace tidegate::client {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class connection_end_test : public testing::Test, protected conversation {};

TEST_F(connection_end_test, ends_requests_when_the_peer_goes_and_opens_again) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_THAT(co_await ending_of(client_->list("queues")), HasSubstr("the broker closed the connection"));
        EXPECT_FALSE(client_->is_open());
        co_await open();
        const topic_definition topic{.name = "t"};
        EXPECT_EQ((co_await client_->declare_topic(topic)).partitions, 4u);
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

TEST_F(connection_end_test, tells_the_reason_of_a_closing_error_to_all_who_wait) {
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

class connection_nonsense_test : public connection_end_test, public testing::WithParamInterface<nonsense> {};

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

TEST_F(connection_end_test, skips_members_it_does_not_know) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ((co_await client_->declare_queue("q")).ready, 12u);
      },
      [&]() -> awaitable<> {
        co_await peer_.welcome();
        const std::uint32_t declared = co_await peer_.take_request(TG_DECLARE_QUEUE);
        co_await peer_.give_bytes(std::string("\xBA\x06\x03xyz", 6));
        co_await peer_.give_done(declared);
      });
}

TEST_F(connection_end_test, takes_a_frame_byte_by_byte) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ((co_await client_->declare_queue("q")).ready, 3u);
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

TEST_F(connection_end_test, pings_when_quiet_and_ends_after_twice_the_heartbeat) {
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

TEST_F(connection_end_test, lives_on_pongs_and_answers_pings) {
  converse(
      [&]() -> awaitable<> {
        co_await open();
        EXPECT_EQ((co_await client_->declare_queue("q")).ready, 12u);
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

TEST_F(connection_end_test, ends_everything_that_waits_when_closed) {
  std::string receiving, listing;
  const auto receive = [&]() -> awaitable<> { receiving = co_await ending_of(client_->receive()); };
  const auto list = [&]() -> awaitable<> { listing = co_await ending_of(client_->list("queues")); };
  converse(
      [&]() -> awaitable<> {
        co_await open();
        beside(receive);
        beside(list);
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

TEST_F(connection_end_test, may_be_destroyed_while_coroutines_wait) {
  std::string receiving, publishing;
  const auto receive = [&]() -> awaitable<> { receiving = co_await ending_of(client_->receive()); };
  const auto publish = [&]() -> awaitable<> {
    const message_view sent = message("m");
    publishing = co_await ending_of(client_->publish(sent));
  };
  converse(
      [&]() -> awaitable<> {
        co_await open();
        beside(receive);
        beside(publish);
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

TEST_F(connection_end_test, may_be_destroyed_while_it_opens) {
  std::string opening;
  const auto begin = [&]() -> awaitable<> { opening = co_await ending_of(client_->open(peer_.where(), options_)); };
  converse(
      [&]() -> awaitable<> {
        beside(begin);
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

// The executor's context is destroyed while coroutines still wait in it: nothing may leak or be used afterwards.
class connection_lifetime : public testing::Test {
 protected:
  awaitable<> open_and_ask(connection& client) {
    const connect_options options;
    co_await client.open(peer_->where(), options);
    co_await client.list("queues");
  }

  void start(std::function<awaitable<>()> client_side) {
    boost::asio::co_spawn(
        *context_, [&]() -> awaitable<> { co_await peer_->welcome(); }, [](std::exception_ptr) {});
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
