// Tests of a store at its bound: which requests are refused, which are still accepted, and that the store recovers by
// itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "broker/core/testing.hpp"

namespace tidegate::core {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class full_store : public testing::Test {
 protected:
  full_store() {
    broker_.declare_queue("work");
    broker_.declare_topic("log", 1, 64 << 20);
    broker_.bind_topic("amq.topic", "log", "#");
    broker_.commit();
    broker_.noted().stored.clear();
  }
  // Publishes in small commits until publishes are refused.
  void fill() {
    const std::string body(8'000, 'b');
    for (int i = 0; i < 10'000; ++i) {
      for (int j = 0; j < 4; ++j) {
        if (!broker_.try_publish("", "work", body)) return;
      }
      broker_.commit();
    }
    FAIL() << "it never fills";
  }
  stepping_broker broker_{{8 << 20, 256 * 1024, {}}};
};

TEST_F(full_store, refuses_publishes_with_the_reason) {
  fill();
  broker_.commit();
  const auto refused = broker_.try_publish("", "work", "m");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::store_full);
  EXPECT_THAT(refused.error().text, testing::HasSubstr("store.bytes_max"));
  EXPECT_GT(broker_.counts().refused_full, 0u);
  batch_builder builder;
  builder.add(record_view{0, 1, {}, "m", {}});
  EXPECT_EQ(broker_.publishing().produce("log", 0, builder.finish(), broker_.next_receipt()).error().code,
            errc::store_full);
}

TEST_F(full_store, takes_nothing_new_but_knows_what_it_has) {
  broker_.grouping().commit_offset("group", "log", 0, 0, "meta", broker_.next_receipt()).value();
  fill();
  broker_.commit();
  const auto receipt = broker_.next_receipt();
  EXPECT_EQ(broker_.defining().declare_queue({"new"}, receipt).error().code, errc::store_full);
  EXPECT_EQ(broker_.defining().declare_exchange({"new", exchange_type::fanout}, receipt).error().code,
            errc::store_full);
  EXPECT_EQ(broker_.defining().declare_topic({"new"}, receipt).error().code, errc::store_full);
  const auto binding = stepping_broker::binding("amq.topic", target_kind::queue, "work", "new");
  EXPECT_EQ(broker_.defining().bind(binding, receipt).error().code, errc::store_full);
  // Groups that read the records that fill the store may commit offsets, also their first ones.
  EXPECT_TRUE(broker_.grouping().commit_offset("new", "log", 0, 1, "", broker_.next_receipt()));
  EXPECT_TRUE(broker_.grouping().commit_offset("group", "log", 0, 1, "meta", broker_.next_receipt()));
  EXPECT_TRUE(broker_.defining().declare_queue({"work"}, broker_.next_receipt()));
  broker_.commit();
  EXPECT_EQ(broker_.noted().stored.back(), broker_.last_token());
}

TEST_F(full_store, drains_to_the_last_message_and_takes_publishes_again) {
  fill();
  broker_.commit();
  const auto held = broker_.ready("work");
  const auto consumer = broker_.consume("work", 16);
  std::size_t seen = 0;
  while (broker_.ready("work") > 0) {
    for (const auto& one : broker_.pull_all(consumer)) {
      EXPECT_EQ(one.offset, seen++);
      broker_.ack(consumer, one.offset);
    }
    broker_.commit();
  }
  EXPECT_EQ(seen, held);
  EXPECT_FALSE(broker_.storage().is_full());
  fill();
  EXPECT_GT(broker_.ready("work"), held / 2);
}

TEST_F(full_store, cursors_and_requeues_go_on_for_long) {
  broker_.grouping()
      .commit_offset("group", "log", 0, 0, std::string(limits::metadata_bytes, 'm'), broker_.next_receipt())
      .value();
  fill();
  broker_.commit();
  const auto consumer = broker_.consume("work", 50);
  for (int i = 0; i < 3'000; ++i) {
    for (const auto& one : broker_.pull_all(consumer)) broker_.requeue(consumer, one.offset);
    const std::string metadata(limits::metadata_bytes, static_cast<char>('a' + i % 26));
    broker_.grouping()
        .commit_offset("group", "log", 0, static_cast<offset_t>(i), metadata, broker_.next_receipt())
        .value();
    ASSERT_NO_THROW(broker_.commit()) << i;
  }
  broker_.reopen_killed();
  EXPECT_EQ(broker_.grouping().committed("group", "log", 0).value()->offset, 2'999u);
}

TEST_F(full_store, deleting_what_fills_it_makes_room) {
  fill();
  broker_.commit();
  broker_.defining().remove_queue("work", broker_.next_receipt()).value();
  broker_.commit();
  EXPECT_FALSE(broker_.storage().is_full());
  EXPECT_EQ(broker_.publish("amq.topic", "k", "m"), api::publish_outcome::stored);
  broker_.commit();
}

// Each dead letter goes to five queues, so the moves themselves fill the store. Those that find no room wait, and go on
// when there is some.
TEST(dead_letters_of_a_full_store, wait_for_room_and_are_in_one_place) {
  stepping_options options;
  options.bytes_max = 64 << 20;
  stepping_broker broker(options);
  const std::vector<std::string> graves{"d0", "d1", "d2", "d3", "d4"};
  broker.declare_exchange("dead", exchange_type::fanout);
  for (const std::string& grave : graves) {
    broker.declare_queue(grave);
    broker.bind_queue("dead", grave);
  }
  broker.declare_queue("dies", [](auto& one) { one.dead_letter_exchange = "dead"; });
  std::size_t count = 0;
  while (broker.try_publish("", "dies", std::to_string(count) + std::string(60'000, 'b'))) {
    if (++count % 8 == 0) broker.commit();
  }
  broker.commit();
  consumer_id consumer{};
  // What found no room in the end is ready again, and comes once more.
  const auto discard_all = [&] {
    const auto taken = broker.pull_all(consumer);
    if (!taken.empty()) broker.consuming().settle_through(broker.session(), taken.back().number, api::outcome::discard);
    broker.commit();
  };
  for (const bool is_first : {true, false}) {  // the second time after a kill while moves wait
    consumer = broker.consume("dies");
    const auto before = broker.inspecting().status().commits.commits;
    for (int i = 0; i < 50; ++i) discard_all();
    EXPECT_LT(broker.inspecting().status().commits.commits, before + 50) << "what waits makes no commits";
    const auto waiting = broker.inspecting().find_queue("dies")->figures().unsettled;
    EXPECT_GT(waiting, 0u);
    EXPECT_GT(broker.ready("d0"), 0u);
    EXPECT_EQ(waiting + broker.ready("d0"), count);
    if (is_first) broker.reopen_killed();
    EXPECT_EQ(broker.ready("dies") + broker.ready("d0") + (is_first ? 0 : waiting), count);
  }
  std::map<std::string, std::set<std::string>> seen;
  std::size_t in_all = 0;
  for (int round = 0; round < 100 && in_all < count * graves.size(); ++round) {
    for (const std::string& grave : graves) {
      const auto reader = broker.consume(grave, 0, true);
      for (const auto& one : broker.pull_all(reader)) {
        EXPECT_TRUE(seen[grave].insert(one.body).second) << "twice";
        ++in_all;
      }
      broker.cancel(reader);
      broker.commit();
    }
    broker.pass(milliseconds(2'000));
    discard_all();
  }
  EXPECT_EQ(in_all, count * graves.size());
  EXPECT_TRUE(broker.inspecting().list_losses().value().empty());
}

TEST_F(full_store, a_log_gives_way_before_it_is_full) {
  const std::string body(8'000, 'b');
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_TRUE(broker_.try_publish("amq.topic", "k", body)) << i;
    if (i % 4 == 3) broker_.commit();
  }
  const auto losses = broker_.inspecting().list_losses().value();
  ASSERT_FALSE(losses.empty());
  EXPECT_EQ(losses.front().record.reason, store::loss_reason::store_room);
  EXPECT_EQ(losses.front().kind, "topic");
  EXPECT_EQ(losses.front().name, "log");
  EXPECT_EQ(losses.back().record.end, broker_.reading().range("log", 0).value().log_start);
}

TEST_F(full_store, starts_full_and_drains) {
  fill();
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_TRUE(broker_.storage().is_full());
  const auto consumer = broker_.consume("work");
  while (broker_.ready("work") > 0) {
    for (const auto& one : broker_.pull_all(consumer)) broker_.ack(consumer, one.offset);
    broker_.commit();
  }
  EXPECT_FALSE(broker_.storage().is_full());
}

// A group is larger than the room left in the map, so the writer cannot store its records.
class void_appends : public full_store {
 protected:
  void_appends() {
    const std::string body(60'000, 'b');
    while (broker_.storage().pages().used_pages * 10 < broker_.storage().pages().map_pages * 7) {
      broker_.publish("amq.topic", "k", body);
      broker_.commit();
    }
    broker_.noted().stored.clear();
    end_ = broker_.reading().range("log", 0).value().high_watermark;
  }
  // Publishes more than the map has room for, to the queue and the topic.
  std::vector<std::uint64_t> publish_too_much() {
    std::vector<std::uint64_t> tokens;
    const std::string body(400'000, 'c');
    for (int i = 0; i < 6; ++i) {
      broker_.publish("amq.topic", "k", body);
      tokens.push_back(broker_.last_token());
      broker_.put("work", body);
      tokens.push_back(broker_.last_token());
    }
    return tokens;
  }
  // Returns the records of one name in the loss ledger. The log drops records meanwhile and has rows in the ledger,
  // too.
  std::uint64_t losses_of(std::string_view name) {
    std::uint64_t records = 0;
    for (const api::loss_row& row : broker_.inspecting().list_losses().value())
      records += row.name == name ? row.record.records : 0;
    return records;
  }
  offset_t end_ = 0;
};

TEST_F(void_appends, refuses_every_receipt_exactly_once_and_keeps_offsets_dense) {
  const auto tokens = publish_too_much();
  broker_.flush();
  // Appended after them, with offsets after theirs.
  broker_.publish("amq.topic", "k", "behind");
  const auto behind = broker_.last_token();
  broker_.finish();
  for (const auto token : tokens) EXPECT_THAT(broker_.noted().refused[token], ElementsAre(errc::store_full));
  EXPECT_THAT(broker_.noted().refused[behind], ElementsAre(errc::store_full));
  EXPECT_THAT(broker_.noted().stored, IsEmpty());
  broker_.commit();
  EXPECT_THAT(broker_.noted().refused, SizeIs(tokens.size() + 1));
  EXPECT_THAT(broker_.noted().stored, IsEmpty());
  EXPECT_EQ(broker_.ready("work"), 0u);
  EXPECT_EQ(broker_.reading().range("log", 0).value().high_watermark, end_);

  broker_.publish("amq.topic", "k", "after");
  broker_.put("work", "after");
  broker_.commit();
  const auto found = broker_.read("log", 0, end_);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].offset, end_);
  EXPECT_EQ(found[0].body, "after");
  const auto taken = broker_.pull_all(broker_.consume("work"));
  ASSERT_THAT(bodies(taken), ElementsAre("after"));
  EXPECT_EQ(taken[0].offset, 0u);
  broker_.reopen_killed();
  EXPECT_EQ(broker_.reading().range("log", 0).value().high_watermark, end_ + 1);
}

TEST_F(void_appends, what_appends_nothing_is_settled_by_its_own_commit) {
  publish_too_much();
  broker_.grouping().commit_offset("group", "log", 0, 1, "", broker_.next_receipt()).value();
  const auto beside = broker_.last_token();
  broker_.flush();
  broker_.declare_queue("later");
  const auto later = broker_.last_token();
  broker_.publish("", "later", "void, too");
  const auto lost = broker_.last_token();
  broker_.finish();
  // The first group is committed without its records; the group after it is with the writer.
  EXPECT_THAT(broker_.noted().stored, ElementsAre(beside));
  broker_.commit();
  EXPECT_THAT(broker_.noted().stored, ElementsAre(beside, later));
  EXPECT_THAT(broker_.noted().refused[lost], ElementsAre(errc::store_full));
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("later"), 0u);
  EXPECT_EQ(broker_.grouping().committed("group", "log", 0).value()->offset, 1u);
}

TEST_F(void_appends, sequences_are_void_with_their_messages) {
  const api::producer_ref producer{"p", 1, true};
  broker_.publish_as(producer, 1, "work", "kept").value();
  broker_.commit();
  broker_.publish_as(producer, 2, "work", "void").value();
  publish_too_much();
  broker_.flush();
  broker_.publish_as(producer, 3, "work", "void").value();
  // A duplicate of a message that is on flash appends nothing, so it is confirmed.
  EXPECT_EQ(broker_.publish_as(producer, 1, "work", "kept").value(), api::publish_outcome::duplicate);
  const auto known = broker_.last_token();
  broker_.commit();
  EXPECT_EQ(broker_.noted().stored.back(), known);
  EXPECT_EQ(broker_.publishing().durable_sequence(producer), 1u);
  EXPECT_EQ(broker_.publish_as(producer, 2, "work", "2").value(), api::publish_outcome::stored);
  EXPECT_EQ(broker_.publish_as(producer, 3, "work", "3").value(), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_THAT(bodies(broker_.pull_all(broker_.consume("work"))), ElementsAre("kept", "2", "3"));
}

// A drop-oldest queue keeps its oldest messages if the store has no room for the new ones: the drops and the appends
// are in the same commit, or neither is.
TEST_F(void_appends, what_was_dropped_for_them_is_there_again) {
  api::queue_request bounded{"bounded"};
  bounded.messages_max = 4;
  broker_.defining().declare_queue(bounded, broker_.next_receipt()).value();
  broker_.commit();
  for (const char* const body : {"0", "1", "2", "3"}) broker_.put("bounded", body);
  broker_.commit();
  const auto consumer = broker_.consume("bounded", 1);
  broker_.requeue(consumer, broker_.pull_all(consumer)[0].offset);  // "0" has been delivered once
  broker_.commit();
  broker_.cancel(consumer);
  publish_too_much();
  for (const char* const body : {"4", "5", "6", "7", "8"}) broker_.put("bounded", body);
  broker_.flush();
  broker_.finish();
  broker_.commit();
  EXPECT_EQ(broker_.ready("bounded"), 4u);
  EXPECT_EQ(losses_of("bounded"), 0u);
  for (const char* const body : {"9", "10"}) broker_.put("bounded", body);
  broker_.commit();
  EXPECT_EQ(losses_of("bounded"), 2u);
  const auto taken = broker_.pull_all(broker_.consume("bounded"));
  EXPECT_THAT(bodies(taken), ElementsAre("2", "3", "9", "10"));
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("bounded"), 4u);
}

TEST_F(void_appends, acknowledgements_in_the_same_group_hold) {
  broker_.put("work", "old");
  broker_.commit();
  const auto consumer = broker_.consume("work");
  broker_.ack(consumer, broker_.pull_all(consumer)[0].offset);
  publish_too_much();
  broker_.commit();
  broker_.reopen_killed();
  EXPECT_EQ(broker_.ready("work"), 0u);
}

}  // namespace
}  // namespace tidegate::core
