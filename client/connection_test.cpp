// Tests the calls of a connection: requests, publishing, consuming.
#include <gmock/gmock.h>

#include "client/conversation.hpp"

namespace tidegate::client {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class connection_test : public testing::Test, protected conversation {};

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
  const auto count = [&]() -> awaitable<> { EXPECT_EQ((co_await client_->declare_queue("q")).ready, 12u); };
  converse(
      [&]() -> awaitable<> {
        co_await open();
        beside(count);
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

}  // namespace
}  // namespace tidegate::client
