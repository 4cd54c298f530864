// Replies without a queue: from a session to the one that asked, through memory alone.
#include <gmock/gmock.h>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class replies : public testing::Test {
 protected:
  replies() {
    broker_.declare_queue("requests");
    responder_ = broker_.sessions().attach(responder_events_);
    broker_.commit();
  }
  consumer_id wait_for_replies() { return broker_.consume(direct_reply_name, 0, true); }
  // Publishes a request and takes it at the other end. Returns the address for its reply.
  std::string request(std::string_view body = "?") {
    properties set;
    set.reply_to = direct_reply_name;
    set.correlation_id = "7";
    broker_.try_publish_with("", "requests", body, set).value();
    broker_.commit();
    const auto consumer = broker_.consume_as(responder_, "requests", 0, true);
    const auto taken = broker_.pull_all(consumer);
    broker_.cancel(consumer);
    broker_.commit();
    const auto read = read_properties(taken.at(0).properties).value();
    EXPECT_EQ(read.correlation_id, "7");
    return std::string(read.reply_to.value());
  }
  result<api::publish_outcome> reply(std::string_view address, std::string_view body) {
    message_view message;
    message.routing_key = address;
    message.body = body;
    message.headers.push_back({"unit", "C"});
    const auto done = broker_.publishing().publish(message, {{responder_, 1}, std::nullopt, 0});
    broker_->tell();
    return done;
  }
  std::uint64_t commits() { return broker_.inspecting().status().commits.commits; }

  noting_session responder_events_;
  stepping_broker broker_;
  session_id responder_{};
};

TEST_F(replies, come_to_the_session_that_asked_and_to_no_disk) {
  const auto consumer = wait_for_replies();
  const std::string address = request();
  EXPECT_THAT(address, StartsWith("amq.rabbitmq.reply-to."));
  const auto before = commits();
  EXPECT_EQ(reply(address, "answer").value(), api::publish_outcome::replied);
  EXPECT_EQ(broker_.noted().told[consumer], 1);
  const auto taken = broker_.pull(consumer);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].body, "answer");
  EXPECT_EQ(taken[0].exchange, "");
  EXPECT_EQ(taken[0].routing_key, address);
  EXPECT_FALSE(taken[0].redelivered);
  EXPECT_EQ(taken[0].number, 1u);
  EXPECT_TRUE(broker_->is_idle());
  EXPECT_EQ(commits(), before);
  EXPECT_EQ(broker_.counts().replies, 1u);
}

TEST_F(replies, each_session_has_an_address_of_its_own) {
  noting_session events;
  const auto other = broker_.sessions().attach(events);
  const auto first = wait_for_replies();
  const auto second = broker_.consume_as(other, direct_reply_name, 0, true);
  const std::string address = request();
  ASSERT_TRUE(reply(address, "answer"));
  EXPECT_THAT(bodies(broker_.pull(second)), IsEmpty());
  EXPECT_THAT(bodies(broker_.pull(first)), ElementsAre("answer"));
}

TEST_F(replies, need_a_consumer_that_cannot_acknowledge_and_is_the_only_one) {
  EXPECT_EQ(broker_.try_consume(broker_.session(), direct_reply_name, {}).error().code, errc::precondition);
  properties set;
  set.reply_to = direct_reply_name;
  const auto refused = broker_.try_publish_with("", "requests", "?", set);
  EXPECT_EQ(refused.error().code, errc::precondition);
  EXPECT_EQ(refused.error().field, "reply_to");
  wait_for_replies();
  EXPECT_EQ(broker_.try_consume(broker_.session(), direct_reply_name, {0, true}).error().code, errc::precondition);
}

TEST_F(replies, to_a_session_that_ended_are_unroutable) {
  const auto consumer = wait_for_replies();
  const std::string address = request();
  EXPECT_TRUE(broker_.inspecting().is_for_replies(address));
  ASSERT_TRUE(reply(address, "waits"));
  broker_.cancel(consumer);
  EXPECT_EQ(broker_.counts().replies_dropped, 1u);
  EXPECT_FALSE(broker_.inspecting().is_for_replies(address));
  EXPECT_EQ(reply(address, "late").value(), api::publish_outcome::unroutable);
  EXPECT_EQ(reply("amq.rabbitmq.reply-to.guess", "x").value(), api::publish_outcome::unroutable);
  EXPECT_EQ(broker_.counts().unroutable, 2u);

  wait_for_replies();
  const std::string second = request();
  EXPECT_NE(second, address);
  ASSERT_TRUE(reply(second, "waits"));
  broker_.detach(broker_.session());
  EXPECT_EQ(reply(second, "late").value(), api::publish_outcome::unroutable);
}

TEST_F(replies, that_nobody_reads_are_refused_at_a_bound) {
  const auto consumer = wait_for_replies();
  const std::string address = request();
  const std::string body(100'000, 'r');
  std::size_t sent = 0;
  while (reply(address, body)) ++sent;
  EXPECT_EQ(sent, limits::replies_bytes / (body.size() + 400));
  const auto refused = reply(address, body);
  EXPECT_EQ(refused.error().code, errc::target_full);
  EXPECT_THAT(refused.error().text, HasSubstr(std::to_string(limits::replies_bytes)));
  EXPECT_EQ(broker_.noted().told[consumer], 1);
  EXPECT_EQ(broker_.pull_all(consumer).size(), sent);
  EXPECT_TRUE(reply(address, body));
  EXPECT_EQ(broker_.noted().told[consumer], 2);
}

TEST_F(replies, of_all_sessions_have_one_bound) {
  std::vector<std::unique_ptr<noting_session>> events;
  std::vector<std::string> addresses;
  for (int i = 0; i < 10; ++i) {
    events.push_back(std::make_unique<noting_session>());
    const auto session = broker_.sessions().attach(*events.back());
    broker_.consume_as(session, direct_reply_name, 0, true);
    properties set;
    set.reply_to = direct_reply_name;
    const std::string encoded = encode(set);
    message_view message;
    message.routing_key = "requests";
    message.properties = encoded;
    ASSERT_TRUE(broker_.publishing().publish(message, {{session, 1}, std::nullopt, 0}));
    addresses.emplace_back(read_properties(message.properties).value().reply_to.value());
  }
  const std::string body(900'000, 'r');
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(reply(addresses[i], body)) << i;
  EXPECT_EQ(reply(addresses[9], body).error().code, errc::memory_full);
}

TEST_F(replies, have_no_sequence_and_no_delay) {
  wait_for_replies();
  const std::string address = request();
  EXPECT_EQ(broker_.publish_as({"a:p", 1, true}, 1, address, "x").error().field, "sequence");
  EXPECT_EQ(broker_.try_publish_with("", address, "x", {}, milliseconds(10)).error().field, "delay");
}

TEST_F(replies, of_a_transaction_come_when_it_is_done) {
  const auto consumer = wait_for_replies();
  const std::string address = request();
  broker_.put("requests", "another");
  broker_.commit();
  const auto worker = broker_.consume_as(responder_, "requests");
  const auto taken = broker_.pull(worker);
  ASSERT_EQ(taken.size(), 1u);
  std::vector<api::transaction_message> messages(2);
  messages[0].message.routing_key = address;
  messages[0].message.body = "answer";
  messages[1].message.routing_key = "amq.rabbitmq.reply-to.guess";
  const std::vector<api::settlement> settlements{{taken[0].number, false, api::outcome::ack}};
  EXPECT_EQ(broker_.transacting().commit(messages, settlements, {responder_, 9}, true).error().code, errc::not_found);
  ASSERT_TRUE(broker_.transacting().commit(messages, settlements, {responder_, 9}));
  EXPECT_TRUE(messages[1].is_unroutable);
  EXPECT_THAT(bodies(broker_.pull(consumer)), IsEmpty());
  broker_.commit();
  EXPECT_THAT(responder_events_.stored, ElementsAre(9u));
  EXPECT_THAT(bodies(broker_.pull(consumer)), ElementsAre("answer"));
}

TEST_F(replies, of_transactions_that_wait_count_against_the_bound) {
  const auto consumer = wait_for_replies();
  const std::string address = request(), body(600'000, 'r');
  std::vector<api::transaction_message> messages(1);
  messages[0].message.routing_key = address;
  messages[0].message.body = body;
  ASSERT_TRUE(broker_.transacting().commit(messages, {}, {responder_, 1}));
  EXPECT_EQ(broker_.transacting().commit(messages, {}, {responder_, 2}).error().code, errc::target_full);
  broker_.commit();
  EXPECT_EQ(broker_.pull_all(consumer).size(), 1u);
  ASSERT_TRUE(broker_.transacting().commit(messages, {}, {responder_, 3}));
  broker_.cancel(consumer);
  broker_.commit();
  EXPECT_EQ(broker_.counts().replies_dropped, 1u);
}

TEST(replies_of_a_transaction, never_come_if_it_is_void) {
  bool refuses = false;
  stepping_options options;
  options.refuses_records = [&] { return refuses; };
  stepping_broker broker(options);
  broker.declare_queue("requests");
  const auto consumer = broker.consume(direct_reply_name, 0, true);
  properties set;
  set.reply_to = direct_reply_name;
  broker.try_publish_with("", "requests", "?", set).value();
  broker.commit();
  const auto taken = broker.pull(broker.consume("requests"));
  const std::string address(read_properties(taken.at(0).properties).value().reply_to.value());
  std::vector<api::transaction_message> messages(2);
  messages[0].message.routing_key = address;
  messages[1].message.routing_key = "requests";
  refuses = true;
  const std::vector<api::settlement> settlements{{taken[0].number, false, api::outcome::ack}};
  ASSERT_TRUE(broker.transacting().commit(messages, settlements, broker.next_receipt()));
  broker.commit();
  EXPECT_EQ(broker.noted().refused.count(broker.last_token()), 1u);
  EXPECT_THAT(broker.pull(consumer), IsEmpty());
  EXPECT_EQ(broker.counts().replies, 0u);
}

}  // namespace
}  // namespace tidegate::core
