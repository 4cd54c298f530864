#include "broker/frontends/native/application.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/frontends/native/testing.hpp"

namespace tidegate::native {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class applications : public testing::Test {
 protected:
  applications() {
    gateway_.broker.declare_queue("work");
    gateway_.broker.commit();
    peer_.connect();
  }
  void put(std::string_view body) {
    gateway_.broker.put("work", body);
    gateway_.broker.commit();
  }
  gateway gateway_;
  peer peer_{gateway_};
};

// ------------------------------------------------------------------------------------------------ publishing

TEST_F(applications, publish_and_confirm_exact_bytes) {
  //                        key    len id    routing key         body
  peer_.send_bytes(from_hex("f2 01 0b 08 01 1a 04 77 6f 72 6b 32 01 6d"));
  EXPECT_THAT(peer_.take_bytes(), IsEmpty());
  gateway_.broker.commit();
  //                                     key   len id    multiple
  EXPECT_EQ(to_hex(peer_.take_bytes()), "fa 01 04 08 01 10 01");
}

TEST_F(applications, confirms_are_cumulative_and_in_order) {
  peer_.publish(1, "", "work", "a");
  peer_.publish(3, "", "work", "b");
  gateway_.broker.flush();
  peer_.publish(4, "", "work", "c");
  peer_.publish(5, "", "work", "d");
  EXPECT_THAT(peer_.answers(), IsEmpty());
  gateway_.broker.finish();
  EXPECT_THAT(peer_.answers(), ElementsAre("confirm through 3 code 0"));
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("confirm through 5 code 0"));
}

TEST_F(applications, what_waits_for_no_commit_is_confirmed_out_of_turn) {
  gateway_.broker.defining().declare_queue({"live", durability::memory()}, gateway_.broker.next_receipt()).value();
  gateway_.broker.commit();
  peer_.publish(1, "", "live", "a");
  peer_.publish(2, "", "work", "b");
  peer_.publish(3, "", "live", "c");
  peer_.publish(4, "", "work", "d");
  peer_.publish(5, "", "nowhere", "unroutable");
  gateway_.broker.flush();
  EXPECT_THAT(peer_.answers(), ElementsAre("confirm through 1 code 0", "confirm 3 code 0", "confirm 5 code 0"));
  gateway_.broker.finish();
  EXPECT_THAT(peer_.answers(), ElementsAre("confirm through 4 code 0"));
}

TEST_F(applications, what_is_mandatory_and_unroutable_comes_back_before_its_confirm) {
  peer_.publish(1, "amq.direct", "k", "body", true);
  peer_.publish(2, "amq.direct", "k", "body");
  EXPECT_THAT(peer_.answers(), ElementsAre("return 1 'amq.direct' 'k' 'body'", "confirm through 2 code 0"));
  peer_.publish(3, "", "work", "m", true);
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("confirm through 3 code 0"));
}

TEST_F(applications, a_refused_publish_is_settled_by_itself_and_by_nothing_else) {
  peer_.publish(1, "", "work", "a");
  peer_.publish(2, "none", "k", "b");
  EXPECT_THAT(peer_.answers(), ElementsAre("confirm 2 code 2"));
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("confirm through 1 code 0"));
  peer_.publish(3, "none", "k", "b");
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("confirm 3 code 2"));
  peer_.publish(4, "none", "k", "b");
  peer_.publish(5, "", "work", "c");
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("confirm 4 code 2", "confirm through 5 code 0"));
}

TEST_F(applications, ids_must_rise) {
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{1} << 63}) {
    peer peer(gateway_);
    peer.connect();
    peer.publish(2, "", "work", "a");
    peer.publish(id, "", "work", "b");
    EXPECT_THAT(peer.answers(), ElementsAre("error 0 closing code 1 field id"));
  }
}

TEST_F(applications, text_is_utf8_and_tg_headers_are_the_brokers) {
  peer_.publish(1, "", "\xff", "m");
  EXPECT_THAT(peer_.answers(), ElementsAre("confirm 1 code 1"));
  const auto publish_with = [&](std::uint64_t id, std::string_view name, std::size_t count) {
    const std::vector<header> headers(count, header{name, "v"});
    header_source source(headers);
    tg_PublishMessage publish{};
    publish.id = id;
    publish.routing_key = bytes_of("work");
    publish.headers = source.encoder();
    peer_.send(TG_PUBLISH_MESSAGE, tg_PublishMessage_fields, publish, 2'048);
    return peer_.answers_committed();
  };
  EXPECT_THAT(publish_with(2, "tg-mine", 1), ElementsAre("confirm 2 code 6"));
  EXPECT_THAT(publish_with(3, "\xc3", 1), ElementsAre("confirm 3 code 1"));
  EXPECT_THAT(publish_with(4, "h", limits::headers_count), ElementsAre("confirm through 4 code 0"));
  EXPECT_THAT(publish_with(5, "h", limits::headers_count + 1), ElementsAre("confirm 5 code 4"));
  EXPECT_THAT(publish_with(6, "h", limits::headers_count + 2), ElementsAre("error 0 closing code 1 field "));
}

TEST_F(applications, the_largest_message_goes_through) {
  const std::string body(limits::body_bytes, 'b');
  peer_.publish(1, "", "work", body);
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("confirm through 1 code 0"));
  peer_.consume(1, "work");
  const auto answers = peer_.answers();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[1], "deliver 1 tag 1 '" + body + "'");
}

TEST_F(applications, too_many_unsettled_publishes_pause_the_input) {
  gateway_.broker.put("work", "m");
  gateway_.broker.flush();
  peer_.publish(1, "", "work", "waits");
  std::uint64_t id = 1;
  while (!peer_.on().is_paused()) peer_.publish(++id, "", "nowhere", "");
  EXPECT_EQ(id, limits::publishes_unsettled);
  gateway_.broker.commit();
  EXPECT_THAT(peer_.answers(), ElementsAre(fmt::format("confirm through {} code 0", id)));
  EXPECT_FALSE(peer_.on().is_paused());
}

TEST_F(applications, a_producers_duplicates_are_confirmed_and_not_stored) {
  peer producer(gateway_);
  producer.connect("p", 1);
  producer.publish(1, "", "work", "a", false, 10);
  producer.publish(2, "", "work", "a", false, 10);
  EXPECT_THAT(producer.answers_committed(), ElementsAre("confirm through 2 code 0"));
  EXPECT_EQ(gateway_.broker.ready("work"), 1u);
  producer.drop();
  peer again(gateway_);
  tg_Connect connect{};
  connect.version = 1;
  connect.producer = bytes_of("p");
  connect.producer_epoch = 1;
  again.send(TG_CONNECT, tg_Connect_fields, connect, 8);
  EXPECT_THAT(again.answers(), ElementsAre("connected 0 producer 10"));
  peer_.publish(1, "", "work", "m", false, 1);
  EXPECT_THAT(peer_.answers(), ElementsAre("confirm 1 code 6"));
}

TEST_F(applications, a_newer_epoch_fences_the_older) {
  peer old(gateway_), next(gateway_);
  old.connect("p", 1);
  next.connect("p", 2);
  old.publish(1, "", "work", "a", false, 1);
  next.publish(1, "", "work", "b", false, 1);
  old.publish(2, "", "work", "c", false, 2);
  EXPECT_THAT(old.answers_committed(), ElementsAre("confirm 2 code 8", "confirm through 1 code 0"));
  EXPECT_EQ(gateway_.broker.ready("work"), 2u);
}

class applications_of_a_full_store : public testing::Test {
 protected:
  gateway gateway_{{}, {8 << 20, 256 * 1024, {}}};
};

// Otherwise the later sequence would count as the last one seen, and the earlier one would be taken for a duplicate
// when it comes again.
TEST_F(applications_of_a_full_store, later_sequences_wait_for_one_that_was_refused) {
  auto& broker = gateway_.broker;
  broker.declare_queue("work");
  broker.declare_queue("ballast");
  broker.commit();
  const std::string body(20'000, 'b');
  while (broker.try_publish("", "ballast", body)) broker.commit();
  broker.commit();
  peer peer(gateway_);
  peer.connect("p", 1);
  peer.publish(1, "", "work", "1", false, 1);
  EXPECT_THAT(peer.answers_committed(), ElementsAre("confirm 1 code 5"));
  broker.defining().remove_queue("ballast", broker.next_receipt()).value();
  broker.commit();
  ASSERT_FALSE(broker.storage().is_full());
  peer.publish(2, "", "work", "2", false, 2);
  EXPECT_THAT(peer.answers_committed(), ElementsAre("confirm 2 code 5"));
  peer.publish(3, "", "work", "1", false, 1);
  peer.publish(4, "", "work", "2", false, 2);
  EXPECT_THAT(peer.answers_committed(), ElementsAre("confirm through 4 code 0"));
  EXPECT_THAT(core::bodies(broker.pull_all(broker.consume("work"))), ElementsAre("1", "2"));
}

// ------------------------------------------------------------------------------------------------ consuming

TEST_F(applications, deliveries_come_after_the_answer_and_are_settled_by_tag) {
  put("a");
  put("b");
  put("c");
  peer_.consume(7, "work", 2);
  EXPECT_THAT(peer_.answers(),
              ElementsAre("done 9 partitions 0 messages 0", "deliver 7 tag 1 'a'", "deliver 7 tag 2 'b'"));
  peer_.settle(2);
  EXPECT_THAT(peer_.answers(), ElementsAre("deliver 7 tag 3 'c'"));
  peer_.settle(1, tg_Settle_Outcome_REQUEUE);
  EXPECT_THAT(peer_.answers(), ElementsAre("deliver 7 tag 4 'a' again 1"));
  peer_.settle(4, tg_Settle_Outcome_ACK, true);
  EXPECT_THAT(peer_.answers_committed(), IsEmpty());
  EXPECT_EQ(gateway_.broker.inspecting().find_queue("work")->figures().unsettled, 0u);
  EXPECT_EQ(gateway_.broker.ready("work"), 0u);
}

TEST_F(applications, discarded_deliveries_are_gone) {
  put("a");
  peer_.consume(1, "work");
  peer_.take();
  peer_.settle(1, tg_Settle_Outcome_DISCARD);
  EXPECT_THAT(peer_.answers_committed(), IsEmpty());
  EXPECT_EQ(gateway_.broker.inspecting().list_queues()[0].discarded, 1u);
}

TEST_F(applications, unknown_tags_are_answered_and_the_connection_goes_on) {
  put("a");
  peer_.consume(1, "work");
  peer_.take();
  peer_.settle(2);
  peer_.settle(2, tg_Settle_Outcome_ACK, true);
  peer_.settle(0);
  EXPECT_THAT(peer_.answers(),
              ElementsAre("error 0 code 2 field tag", "error 0 code 2 field tag", "error 0 code 2 field tag"));
  peer_.settle(1);
  peer_.settle(1);
  EXPECT_THAT(peer_.answers(), ElementsAre("error 0 code 2 field tag"));
  peer_.settle(1, tg_Settle_Outcome_ACK, true);  // everything unsettled up to tag 1, which is nothing
  EXPECT_THAT(peer_.answers(), IsEmpty());
}

TEST_F(applications, an_unknown_outcome_settles_nothing) {
  put("a");
  peer_.consume(1, "work");
  peer_.take();
  //                        key    len tag   outcome 102
  peer_.send_bytes(from_hex("a2 02 04 08 01 18 66"));
  EXPECT_THAT(peer_.answers(), ElementsAre("error 0 code 1 field outcome"));
  EXPECT_EQ(gateway_.broker.inspecting().find_queue("work")->figures().unsettled, 1u);
}

TEST_F(applications, one_unsettled_delivery_keeps_nothing_of_the_others) {
  for (int i = 0; i < 100; ++i) gateway_.broker.put("work", "m");
  put("last");
  peer_.consume(1, "work", 10);
  peer_.take();
  for (std::uint64_t tag = 2; tag <= 101; ++tag) {
    peer_.settle(tag);
    peer_.take();
  }
  EXPECT_EQ(gateway_.broker.inspecting().find_queue("work")->figures().unsettled, 1u);
  peer_.settle(101, tg_Settle_Outcome_ACK, true);
  EXPECT_EQ(gateway_.broker.inspecting().find_queue("work")->figures().unsettled, 0u);
}

TEST_F(applications, a_cancelled_consumer_gives_back_what_it_had) {
  put("a");
  peer_.consume(1, "work");
  peer_.take();
  peer_.send(TG_CANCEL, tg_Cancel_fields, tg_Cancel{5, 1});
  EXPECT_THAT(peer_.answers(), ElementsAre("done 5 partitions 0 messages 0"));
  peer_.settle(1);
  peer_.send(TG_CANCEL, tg_Cancel_fields, tg_Cancel{6, 1});
  EXPECT_THAT(peer_.answers(), ElementsAre("error 0 code 2 field tag", "error 6 code 2 field consumer"));
  peer_.consume(1, "work");
  EXPECT_THAT(peer_.answers(), ElementsAre("done 9 partitions 0 messages 0", "deliver 1 tag 2 'a' again 1"));
}

TEST_F(applications, consumers_are_named_once) {
  peer_.consume(0, "work");
  peer_.consume(1, "work");
  peer_.consume(1, "work");
  peer_.consume(2, "none");
  EXPECT_THAT(peer_.answers(), ElementsAre("error 9 code 1 field consumer", "done 9 partitions 0 messages 0",
                                           "error 9 code 1 field consumer", "error 9 code 2 field queue"));
}

TEST_F(applications, a_lost_connection_gives_back_to_the_others) {
  put("a");
  peer other(gateway_);
  other.connect();
  peer_.consume(1, "work");
  peer_.take();
  other.consume(1, "work");
  other.take();
  const int wakes = other.wakes;
  peer_.drop();
  gateway_.broker->tell();
  EXPECT_GT(other.wakes, wakes);
  EXPECT_THAT(other.answers(), ElementsAre("deliver 1 tag 1 'a' again 1"));
}

TEST_F(applications, a_slow_reader_is_a_number_and_not_a_growing_list) {
  const std::string body(10'000, 'b');
  for (int i = 0; i < 200; ++i) {
    gateway_.broker.put("work", body);
    gateway_.broker.commit();
  }
  peer_.consume(1, "work");
  for (int i = 0; i < 10; ++i) peer_.on().fill();
  EXPECT_LT(peer_.on().answers().size(), limits::outbox_bytes_mark + 2 * body.size());
  EXPECT_TRUE(peer_.on().is_paused());
  std::size_t delivered = 0;
  for (int turns = 0; delivered < 201 && turns < 100; ++turns) delivered += peer_.take().size();
  EXPECT_EQ(delivered, 201u);
}

TEST_F(applications, consumers_of_one_connection_take_turns) {
  const std::string body(50'000, 'b');
  gateway_.broker.declare_queue("other");
  for (int i = 0; i < 40; ++i) {
    gateway_.broker.put("work", body);
    gateway_.broker.put("other", body);
    gateway_.broker.commit();
  }
  peer_.consume(1, "work");
  peer_.consume(2, "other");
  std::map<std::uint32_t, int> delivered;
  for (int turns = 0; turns < 4; ++turns) {
    for (const answer& one : peer_.take()) {
      if (one.member == TG_DELIVER) ++delivered[one.as<tg_Deliver>(tg_Deliver_fields).consumer];
    }
  }
  EXPECT_GT(delivered[1], 5);
  EXPECT_GT(delivered[2], 5);
}

}  // namespace
}  // namespace tidegate::native
