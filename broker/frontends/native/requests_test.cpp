// Tests the application's requests about definitions and topics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/frontends/native/testing.hpp"

namespace tidegate::native {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class requests : public testing::Test {
 protected:
  requests() {
    gateway_.broker.declare_queue("work");
    gateway_.broker.declare_topic("log");
    gateway_.broker.bind_topic("amq.topic", "log", "#");
    gateway_.broker.commit();
    peer_.connect();
  }
  gateway gateway_;
  peer peer_{gateway_};
};

class fetching : public requests {
 protected:
  void append(std::string_view body) {
    gateway_.broker.publish("amq.topic", "k", body);
    gateway_.broker.commit();
  }
  // Returns the bytes of a batch with one such message.
  std::size_t batch_bytes() {
    append("12345678");
    return gateway_.broker.reading().fetch("log", 0, 0, 1).value().batches.size();
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

// Another topic has the name before the waiting fetch reads again.
TEST_F(fetching, does_not_go_on_in_a_topic_that_took_the_name) {
  append("m");
  peer_.fetch(2, "log", 1, 5'000);
  EXPECT_THAT(peer_.answers(), IsEmpty());
  gateway_.broker.defining().remove_topic("log", {}).value();
  gateway_.broker.declare_topic("log");
  gateway_.broker.bind_topic("amq.topic", "log", "#");
  for (const char* const body : {"x", "y"}) append(body);
  EXPECT_THAT(peer_.answers(), ElementsAre("error 2 code 3 field topic_id"));
  peer_.fetch(3, "log", 0, 0, 0, 0, 0, gateway_.broker.inspecting().find_topic("log")->definition().uuid);
  EXPECT_THAT(peer_.answers(), ElementsAre(testing::StartsWith("fetched 3 code 0 from 0 to 2")));
  peer_.fetch(4, "log", 0, 0, 0, 0, 0, "an id of before");
  EXPECT_THAT(peer_.answers(), ElementsAre("error 4 code 3 field topic_id"));
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
  gateway_.broker.defining().remove_topic("log", gateway_.broker.next_receipt()).value();
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
    largest = std::max(largest, peer_.on().answers().size());
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
    peer_.send(TG_LIST_OFFSET, tg_ListOffset_fields, tg_ListOffset{2, bytes_of("log"), 0, timestamp, {}}, 8);
    return peer_.answers();
  };
  EXPECT_THAT(list(-1), ElementsAre("offset 2 at 2 of 0 to 2"));
  EXPECT_THAT(list(-2), ElementsAre("offset 2 at 0 of 0 to 2"));
  EXPECT_THAT(list(gateway_.broker.clock.wall().count() - 500), ElementsAre("offset 2 at 1 of 0 to 2"));
  EXPECT_THAT(list(-3), ElementsAre("error 2 code 1 field timestamp_ms"));
  const tg_CommitOffset commit{3, bytes_of("group"), bytes_of("log"), 0, 1, bytes_of("meta"), {}};
  peer_.send(TG_COMMIT_OFFSET, tg_CommitOffset_fields, commit, 32);
  EXPECT_THAT(peer_.answers(), IsEmpty());
  EXPECT_THAT(peer_.answers_committed(), ElementsAre("done 3 partitions 0 messages 0"));
  const auto ask = [&](std::string_view group) {
    const tg_FetchOffset fetch{4, bytes_of(group), bytes_of("log"), 0, {}};
    peer_.send(TG_FETCH_OFFSET, tg_FetchOffset_fields, fetch, 32);
    return peer_.answers();
  };
  EXPECT_THAT(ask("group"), ElementsAre("committed 4 yes 1 'meta'"));
  EXPECT_THAT(ask("other"), ElementsAre("committed 4 no 0 ''"));
}

TEST_F(requests, declarations_are_answered_when_they_are_on_flash) {
  peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields, tg_DeclareQueue{2, bytes_of("q"), false, 0, 0, {}, {}}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields, tg_DeclareTopic{3, bytes_of("t"), 4, 0, 0, false, 0, {}, {}, {}},
             8);
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

TEST_F(requests, passive_declarations_only_look) {
  gateway_.broker.put("work", "m");
  gateway_.broker.commit();
  peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields, tg_DeclareQueue{2, bytes_of("work"), true, 0, 0, {}, {}}, 8);
  peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields, tg_DeclareQueue{3, bytes_of("none"), true, 0, 0, {}, {}}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields,
             tg_DeclareTopic{4, bytes_of("log"), 0, 0, 0, true, 0, {}, {}, {}}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields,
             tg_DeclareTopic{5, bytes_of("none"), 0, 0, 0, true, 0, {}, {}, {}}, 8);
  peer_.send(TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
             tg_DeclareExchange{6, bytes_of("none"), bytes_of("topic"), true}, 16);
  EXPECT_THAT(peer_.answers(),
              ElementsAre("done 2 partitions 0 messages 1", "error 3 code 2 field name",
                          "done 4 partitions 1 messages 0", "error 5 code 2 field name", "error 6 code 2 field name"));
}

TEST_F(requests, durability_is_declared) {
  const auto declare = [&](std::uint32_t correlation, std::string_view name, std::string_view durability) {
    tg_DeclareQueue queue{correlation, bytes_of(name)};
    queue.durability = bytes_of(durability);
    peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields, queue, 64);
  };
  declare(2, "lazy", "interval:500");
  declare(3, "lazy", "");
  declare(4, "lazy", "commit");
  declare(5, "other", "memory");
  declare(9, "other", "commit");
  declare(6, "other", "interval:3600001");
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields,
             tg_DeclareTopic{7, bytes_of("t"), 1, 0, 0, false, 0, {}, {}, bytes_of("interval:200")}, 64);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields,
             tg_DeclareTopic{8, bytes_of("u"), 1, 0, 0, false, 0, {}, {}, bytes_of("memory")}, 64);
  EXPECT_THAT(peer_.answers_committed(),
              ElementsAre("error 4 code 3 field durability", "error 9 code 3 field durability",
                          "error 6 code 1 field durability", "done 2 partitions 0 messages 0",
                          "done 3 partitions 0 messages 0", "done 5 partitions 0 messages 0",
                          "done 7 partitions 1 messages 0", "done 8 partitions 1 messages 0"));
  EXPECT_EQ(gateway_.broker.inspecting().find_queue("lazy")->definition().durability.interval, milliseconds(500));
  EXPECT_EQ(gateway_.broker.inspecting().find_topic("t")->definition().durability.interval, milliseconds(200));
  EXPECT_TRUE(gateway_.broker.inspecting().find_queue("other")->definition().durability.is_memory());
  EXPECT_TRUE(gateway_.broker.inspecting().find_topic("u")->definition().durability.is_memory());
}

TEST_F(requests, a_queues_bounds_are_declared_and_listed) {
  const auto declare = [&](std::uint32_t correlation, std::uint64_t messages_max, std::string_view overflow) {
    peer_.send(TG_DECLARE_QUEUE, tg_DeclareQueue_fields,
               tg_DeclareQueue{correlation, bytes_of("few"), false, messages_max, 900, bytes_of(overflow), {}}, 64);
  };
  declare(2, 7, "reject");
  declare(3, 8, "");
  declare(4, 0, "drop-newest");
  EXPECT_THAT(peer_.answers_committed(),
              ElementsAre("error 3 code 3 field messages_max", "error 4 code 1 field overflow",
                          "done 2 partitions 0 messages 0"));
  const queue_definition& queue = gateway_.broker.inspecting().find_queue("few")->definition();
  EXPECT_EQ(queue.messages_max, 7u);
  EXPECT_EQ(queue.bytes_max, 900u);
  EXPECT_EQ(queue.overflow, overflow::reject);
}

TEST_F(requests, contradictions_name_the_attribute) {
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields,
             tg_DeclareTopic{2, bytes_of("log"), 3, 0, 0, false, 0, {}, {}, {}}, 8);
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields,
             tg_DeclareTopic{3, bytes_of("t"), 1, 0, UINT64_MAX, false, 0, {}, {}, {}}, 16);
  peer_.send(TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
             tg_DeclareExchange{4, bytes_of("amq.topic"), bytes_of("direct"), false}, 32);
  peer_.send(TG_DECLARE_EXCHANGE, tg_DeclareExchange_fields,
             tg_DeclareExchange{5, bytes_of("x"), bytes_of("any"), false}, 32);
  EXPECT_THAT(peer_.answers_committed(),
              ElementsAre("error 2 code 3 field partitions", "error 3 code 1 field retention_ms",
                          "error 4 code 3 field type", "error 5 code 1 field type"));
}

TEST_F(requests, a_declared_topic_tells_its_id_and_what_it_protects_in_vain) {
  tg_DeclareTopic declare{};
  declare.correlation = 2;
  declare.name = bytes_of("kept");
  declare.protect = bytes_of("bridge");
  peer_.send(TG_DECLARE_TOPIC, tg_DeclareTopic_fields, declare, 64);
  gateway_.broker.commit();
  const auto answers = peer_.take();
  ASSERT_THAT(answers, SizeIs(1));
  const auto done = answers[0].as<tg_Done>(tg_Done_fields);
  EXPECT_EQ(view_of(done.topic_id), gateway_.broker.inspecting().find_topic("kept")->definition().uuid);
  EXPECT_THAT(std::string(view_of(done.notice)), testing::HasSubstr("protects 'bridge'"));
}

TEST_F(requests, a_lease_is_one_connections_and_its_loss_ends_that) {
  const auto lease = [](std::string_view name, bool take_over) { return tg_Lease{7, bytes_of(name), take_over, {}}; };
  peer_.send(TG_LEASE, tg_Lease_fields, lease("bridge/readings", false), 64);
  EXPECT_THAT(peer_.answers(), ElementsAre("done 7 partitions 0 messages 0"));
  peer other(gateway_);
  other.connect();
  other.send(TG_LEASE, tg_Lease_fields, lease("bridge/readings", false), 64);
  EXPECT_THAT(other.answers(), ElementsAre("error 7 code 3 field lease"));
  EXPECT_FALSE(peer_.is_closing());
  other.send(TG_LEASE, tg_Lease_fields, lease("bridge/readings", true), 64);
  EXPECT_THAT(other.answers(), ElementsAre("done 7 partitions 0 messages 0"));
  EXPECT_THAT(peer_.answers(), ElementsAre("error 0 closing code 8 field lease"));
  EXPECT_TRUE(peer_.is_closing());
}

}  // namespace
}  // namespace tidegate::native
