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
    gateway_.broker.declare_topic("log");
    gateway_.broker.bind_topic("amq.topic", "log", "#");
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
  peer_.publish(5, "", "nowhere", "unroutable");
  EXPECT_THAT(peer_.answers(), IsEmpty());
  gateway_.broker.finish();
  EXPECT_THAT(peer_.answers(), ElementsAre("confirm through 3 code 0"));
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("confirm through 5 code 0"));
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

// Or the later one would count as the last seen, and the earlier be taken for a duplicate when it comes again.
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
  broker->remove_queue("ballast", broker.next_receipt()).value();
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
  EXPECT_EQ(gateway_.broker->find_queue("work")->unsettled(), 0u);
  EXPECT_EQ(gateway_.broker.ready("work"), 0u);
}

TEST_F(applications, discarded_deliveries_are_gone) {
  put("a");
  peer_.consume(1, "work");
  peer_.take();
  peer_.settle(1, tg_Settle_Outcome_DISCARD);
  EXPECT_THAT(peer_.answers_committed(), IsEmpty());
  EXPECT_EQ(gateway_.broker->list_queues()[0].discarded, 1u);
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
  peer_.settle(1, tg_Settle_Outcome_ACK, true);  // all that is unsettled up to it: nothing
  EXPECT_THAT(peer_.answers(), IsEmpty());
}

TEST_F(applications, an_unknown_outcome_settles_nothing) {
  put("a");
  peer_.consume(1, "work");
  peer_.take();
  //                        key    len tag   outcome 102
  peer_.send_bytes(from_hex("a2 02 04 08 01 18 66"));
  EXPECT_THAT(peer_.answers(), ElementsAre("error 0 code 1 field outcome"));
  EXPECT_EQ(gateway_.broker->find_queue("work")->unsettled(), 1u);
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
  EXPECT_EQ(gateway_.broker->find_queue("work")->unsettled(), 1u);
  peer_.settle(101, tg_Settle_Outcome_ACK, true);
  EXPECT_EQ(gateway_.broker->find_queue("work")->unsettled(), 0u);
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
  EXPECT_LT(peer_.on().outbox().size(), limits::outbox_bytes_mark + 2 * body.size());
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

// ------------------------------------------------------------------------------------------------ topics

class fetching : public applications {
 protected:
  void append(std::string_view body) {
    gateway_.broker.publish("amq.topic", "k", body);
    gateway_.broker.commit();
  }
  // Of a batch of one such message.
  std::size_t batch_bytes() {
    append("12345678");
    return gateway_.broker->fetch("log", 0, 0, 1).value().batches.size();
  }
};

TEST_F(fetching, at_the_end_it_waits_for_a_record) {
  peer_.fetch(2, "log", 0, 5'000);
  EXPECT_THAT(peer_.answers(), IsEmpty());
  EXPECT_EQ(peer_.on().deadline(), gateway_.broker.clock.monotonic() + milliseconds(5'000));
  const int wakes = peer_.wakes;
  append("m");
  EXPECT_GT(peer_.wakes, wakes);
  EXPECT_THAT(peer_.answers(), ElementsAre(testing::StartsWith("fetched 2 code 0 from 0 to 1 bytes 1")));
  append("n");
  EXPECT_THAT(peer_.answers(), IsEmpty());
}

TEST_F(fetching, or_until_its_time_is_over) {
  peer_.fetch(2, "log", 0, 5'000);
  gateway_.broker.clock.advance(milliseconds(4'999));
  EXPECT_THAT(peer_.answers(), IsEmpty());
  gateway_.broker.clock.advance(milliseconds(1));
  EXPECT_THAT(peer_.answers(), ElementsAre("fetched 2 code 0 from 0 to 0 bytes 0"));
  peer_.fetch(3, "log", 0);
  EXPECT_THAT(peer_.answers(), ElementsAre("fetched 3 code 0 from 0 to 0 bytes 0"));
}

TEST_F(fetching, waits_for_as_many_bytes_as_it_asks_for) {
  const std::size_t one = batch_bytes();
  peer_.fetch(2, "log", 0, 5'000, static_cast<std::uint32_t>(3 * one - 10));
  EXPECT_THAT(peer_.answers(), IsEmpty());
  append("12345678");
  EXPECT_THAT(peer_.answers(), IsEmpty());
  append("12345678");
  EXPECT_THAT(peer_.answers(), ElementsAre(fmt::format("fetched 2 code 0 from 0 to 3 bytes {}", 3 * one)));
}

TEST_F(fetching, does_not_wait_for_more_than_it_may_take) {
  const std::size_t one = batch_bytes();
  append("12345678");
  const auto most = static_cast<std::uint32_t>(one + one / 2);
  peer_.fetch(2, "log", 0, 5'000, 1'000'000, most);
  EXPECT_THAT(peer_.answers(), ElementsAre(fmt::format("fetched 2 code 0 from 0 to 2 bytes {}", one)));
}

TEST_F(fetching, out_of_range_tells_the_range_at_once) {
  append("m");
  peer_.fetch(2, "log", 2, 5'000);
  EXPECT_THAT(peer_.answers(), ElementsAre("fetched 2 code 7 from 0 to 1 bytes 0"));
  peer_.fetch(3, "none", 0, 5'000);
  peer_.fetch(4, "log", 0, 5'000, 0, 0, 1);
  EXPECT_THAT(peer_.answers(), ElementsAre("error 3 code 2 field topic", "error 4 code 2 field partition"));
}

TEST_F(fetching, ends_with_its_topic) {
  peer_.fetch(2, "log", 0, 5'000);
  gateway_.broker->remove_topic("log", gateway_.broker.next_receipt()).value();
  EXPECT_THAT(peer_.answers(), ElementsAre("error 2 code 2 field topic"));
}

TEST_F(fetching, many_may_wait_and_no_more) {
  for (std::uint32_t i = 0; i < limits::fetches_waiting; ++i) peer_.fetch(i, "log", 0, 5'000);
  EXPECT_THAT(peer_.answers(), IsEmpty());
  peer_.fetch(1'000, "log", 0, 5'000);
  EXPECT_THAT(peer_.answers(), ElementsAre("error 1000 code 9 field "));
  append("m");
  EXPECT_THAT(peer_.answers(), SizeIs(limits::fetches_waiting));
}

TEST_F(fetching, answers_that_are_due_together_do_not_pile_up) {
  for (std::uint32_t i = 0; i < 100; ++i) peer_.fetch(i, "log", 0, 5'000);
  append(std::string(100'000, 'b'));
  std::size_t answered = 0, largest = 0;
  for (int turns = 0; answered < 100 && turns < 100; ++turns) {
    peer_.on().fill();
    largest = std::max(largest, peer_.on().outbox().size());
    answered += peer_.take().size();
  }
  EXPECT_EQ(answered, 100u);
  EXPECT_LT(largest, limits::outbox_bytes_mark + 200'000);
}

TEST_F(fetching, produced_batches_come_back_byte_for_byte_but_for_their_offset) {
  append("first");
  batch_builder builder;
  builder.add(record_view{0, 17, "key", "body", {{"h", "v"}}});
  builder.add(record_view{1, 18, {}, "more", {}});
  std::string batch = builder.finish();
  peer_.send(TG_PRODUCE, tg_Produce_fields, tg_Produce{5, bytes_of("log"), 0, bytes_of(batch)}, batch.size() + 8);
  EXPECT_THAT(peer_.answers(), IsEmpty());
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("produced 5 at 1"));
  peer_.fetch(6, "log", 1);
  const auto answers = peer_.take();
  set_base_offset(batch, 1);
  EXPECT_EQ(view_of(answers[0].as<tg_Fetched>(tg_Fetched_fields).batches), batch);
  peer_.send(TG_PRODUCE, tg_Produce_fields, tg_Produce{7, bytes_of("log"), 0, bytes_of("no batch")}, 32);
  EXPECT_THAT(peer_.answers(), ElementsAre(testing::StartsWith("error 7 code 1")));
}

TEST_F(fetching, the_largest_batch_fits_a_frame_both_ways) {
  batch_builder builder;
  const std::string body(limits::batch_bytes - 100, 'b');
  builder.add(record_view{0, 17, {}, body, {}});
  const std::string batch = builder.finish();
  ASSERT_LE(batch.size(), limits::batch_bytes);
  peer_.send(TG_PRODUCE, tg_Produce_fields, tg_Produce{5, bytes_of("log"), 0, bytes_of(batch)}, batch.size() + 8);
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("produced 5 at 0"));
  peer_.fetch(6, "log", 0);
  EXPECT_THAT(peer_.answers(), ElementsAre(fmt::format("fetched 6 code 0 from 0 to 1 bytes {}", batch.size())));
}

TEST_F(fetching, offsets_are_listed_and_committed) {
  append("a");
  gateway_.broker.clock.advance(milliseconds(1'000));
  append("b");
  const auto list = [&](std::int64_t timestamp) {
    peer_.send(TG_LIST_OFFSET, tg_ListOffset_fields, tg_ListOffset{2, bytes_of("log"), 0, timestamp}, 8);
    return peer_.answers();
  };
  EXPECT_THAT(list(-1), ElementsAre("offset 2 at 2 of 0 to 2"));
  EXPECT_THAT(list(-2), ElementsAre("offset 2 at 0 of 0 to 2"));
  EXPECT_THAT(list(gateway_.broker.clock.wall().count() - 500), ElementsAre("offset 2 at 1 of 0 to 2"));
  EXPECT_THAT(list(-3), ElementsAre("error 2 code 1 field timestamp_ms"));
  const tg_CommitOffset commit{3, bytes_of("group"), bytes_of("log"), 0, 1, bytes_of("meta")};
  peer_.send(TG_COMMIT_OFFSET, tg_CommitOffset_fields, commit, 32);
  EXPECT_THAT(peer_.answers(), IsEmpty());
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("done 3 partitions 0 messages 0"));
  const auto ask = [&](std::string_view group) {
    const tg_FetchOffset fetch{4, bytes_of(group), bytes_of("log"), 0};
    peer_.send(TG_FETCH_OFFSET, tg_FetchOffset_fields, fetch, 32);
    return peer_.answers();
  };
  EXPECT_THAT(ask("group"), ElementsAre("committed 4 yes 1 'meta'"));
  EXPECT_THAT(ask("other"), ElementsAre("committed 4 no 0 ''"));
}

// ------------------------------------------------------------------------------------------------ definitions

TEST_F(applications, declarations_are_answered_when_they_are_on_flash) {
  peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields, tg_DeclareQueue{2, bytes_of("q"), false}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields, tg_DeclareTopic{3, bytes_of("t"), 4, 0, 0, false}, 8);
  peer_.send(TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
             tg_DeclareExchange{4, bytes_of("x"), bytes_of("fanout"), false}, 16);
  const tg_Bind bind{5, bytes_of("x"), bytes_of("queue"), bytes_of("q"), bytes_of("k")};
  peer_.send(TG_BIND, tg_Bind_fields, bind, 32);
  EXPECT_THAT(peer_.answers(), IsEmpty());
  EXPECT_THAT(peer_.answers_committed(),
              ElementsAre("done 2 partitions 0 messages 0", "done 3 partitions 4 messages 0",
                          "done 4 partitions 0 messages 0", "done 5 partitions 0 messages 0"));
  peer_.send(TG_UNBIND, tg_Bind_fields, bind, 32);
  peer_.send(TG_DELETE, tg_Delete_fields, tg_Delete{6, bytes_of("topic"), bytes_of("t")}, 16);
  peer_.send(TG_DELETE, tg_Delete_fields, tg_Delete{7, bytes_of("shelf"), bytes_of("t")}, 16);
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("error 7 code 1 field kind", "done 5 partitions 0 messages 0",
                                                     "done 6 partitions 0 messages 0"));
}

TEST_F(applications, passive_declarations_only_look) {
  put("m");
  peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields, tg_DeclareQueue{2, bytes_of("work"), true}, 8);
  peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields, tg_DeclareQueue{3, bytes_of("none"), true}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields, tg_DeclareTopic{4, bytes_of("log"), 0, 0, 0, true}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields, tg_DeclareTopic{5, bytes_of("none"), 0, 0, 0, true}, 8);
  peer_.send(TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
             tg_DeclareExchange{6, bytes_of("none"), bytes_of("topic"), true}, 16);
  EXPECT_THAT(peer_.answers(),
              ElementsAre("done 2 partitions 0 messages 1", "error 3 code 2 field name",
                          "done 4 partitions 1 messages 0", "error 5 code 2 field name", "error 6 code 2 field name"));
}

TEST_F(applications, contradictions_name_the_attribute) {
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields, tg_DeclareTopic{2, bytes_of("log"), 3, 0, 0, false}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields, tg_DeclareTopic{3, bytes_of("t"), 1, 0, UINT64_MAX, false}, 16);
  peer_.send(TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
             tg_DeclareExchange{4, bytes_of("amq.topic"), bytes_of("direct"), false}, 32);
  peer_.send(TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
             tg_DeclareExchange{5, bytes_of("x"), bytes_of("any"), false}, 32);
  EXPECT_THAT(peer_.answers_committed(),
              ElementsAre("error 2 code 3 field partitions", "error 3 code 1 field retention_ms",
                          "error 4 code 3 field type", "error 5 code 1 field type"));
}

}  // namespace
}  // namespace tidegate::native
