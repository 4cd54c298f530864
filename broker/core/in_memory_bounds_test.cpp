// Tests of streams in memory at their bounds: a stream's own bounds, the bound of all such streams together, and a full
// map.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/in_memory_testing.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class in_memory_bounds : public testing::Test, protected broker_with_memory {
 protected:
  explicit in_memory_bounds(stepping_options options = {}) : broker_with_memory(options) {}
};

TEST_F(in_memory_bounds, full_memory_refuses_and_names_the_bound) {
  const std::string body(200'000, 'b');
  std::uint64_t count = 0;
  for (; broker_.try_publish("", "live", body); ++count) turn();
  const auto refused = broker_.try_publish("", "live", body);
  EXPECT_EQ(refused.error().code, errc::memory_full);
  EXPECT_THAT(refused.error().text, HasSubstr("store.memory_bytes_max"));
  EXPECT_EQ(broker_.counts().refused_full, 2u);
  // All targets or none: the queue on flash does not receive the message either.
  EXPECT_EQ(broker_.try_publish("both", "", body).error().code, errc::memory_full);
  EXPECT_EQ(broker_.publish("", "work", body), api::publish_outcome::stored);
  broker_.commit();
  EXPECT_EQ(broker_.ready("work"), 1u);
  EXPECT_EQ(broker_.ready("live"), count);
  const consumer_id consumer = broker_.consume("live", 0, true);
  EXPECT_THAT(broker_.pull_all(consumer), SizeIs(count));
  turn();
  EXPECT_EQ(use().bytes, 0u);
  EXPECT_TRUE(broker_.try_publish("both", "", body));
}

TEST_F(in_memory_bounds, queues_keep_their_own_bounds) {
  broker_.defining().declare_queue({"last", durability::memory(), 3}, broker_.next_receipt()).value();
  broker_.defining()
      .declare_queue({"first", durability::memory(), 3, 0, overflow::reject}, broker_.next_receipt())
      .value();
  broker_.bind_queue("both", "last");
  broker_.commit();
  for (int i = 0; i < 10; ++i) broker_.put("last", std::to_string(i));
  broker_.publish("both", "", "10");
  broker_.put("last", "11");
  EXPECT_TRUE(turn());
  EXPECT_EQ(broker_.ready("last"), 1u);  // with the two riding messages there are three
  broker_.commit();
  const auto taken = broker_.pull_all(broker_.consume("last", 0, true));
  EXPECT_THAT(bodies(taken), ElementsAre("9", "10", "11"));
  EXPECT_EQ(broker_.ready("live"), 1u);
  for (int i = 0; i < 3; ++i) broker_.put("first", "m");
  EXPECT_EQ(broker_.try_publish("", "first", "m").error().code, errc::target_full);
  turn();
  for (const auto& row : broker_.inspecting().list_queues()) {
    EXPECT_EQ(row.drops.records, row.definition->name == "last" ? 9u : 0u);
  }
  EXPECT_THAT(broker_.inspecting().list_losses().value(), IsEmpty());
}

TEST_F(in_memory_bounds, logs_give_way_to_queues_and_the_drops_are_told) {
  for (int i = 0; i < 10; ++i) broker_.publish("memory", "", std::string(90'000, 'b')), turn();
  const std::string body(200'000, 'b');
  while (broker_.try_publish("", "live", body)) turn();
  EXPECT_EQ(range().log_start, range().high_watermark);
  EXPECT_EQ(broker_.inspecting().list_topics()[0].partitions[0].drops.records, 10u);
  EXPECT_EQ(use().dropped, 10u);
  EXPECT_THAT(broker_.inspecting().list_losses().value(), IsEmpty());
  EXPECT_LE(use().bytes, use().bytes_max);
}

TEST_F(in_memory_bounds, a_full_store_on_flash_does_not_concern_what_is_not_written) {
  while (broker_.try_publish("", "work", std::string(100'000, 'b'))) broker_.commit();
  ASSERT_TRUE(broker_.storage().is_full());
  EXPECT_TRUE(broker_.try_publish("memory", "", "m"));
  EXPECT_FALSE(broker_.try_publish("both", "", "m"));
  turn();
  EXPECT_EQ(broker_.ready("live"), 1u);
}

TEST_F(in_memory_bounds, topics_have_bounds_that_fit) {
  const auto receipt = broker_.next_receipt();
  EXPECT_EQ(broker_.inspecting().find_topic("stream")->definition().retention_bytes, limits::memory_bytes_min / 4);
  api::topic_request wanted{
      "log", 1, limits::memory_bytes_min + 1, {}, 0, overflow::drop_oldest, {}, durability::memory()};
  const auto refused = broker_.defining().declare_topic(wanted, receipt);
  EXPECT_EQ(refused.error().field, "retention_bytes");
  EXPECT_THAT(refused.error().text, HasSubstr("store.memory_bytes_max"));
  wanted.retention_bytes = limits::memory_bytes_min;
  EXPECT_TRUE(broker_.defining().declare_topic(wanted, receipt));
}

TEST_F(in_memory_bounds, durability_changes_neither_by_declaring_nor_by_configuration) {
  const auto receipt = broker_.next_receipt();
  EXPECT_EQ(broker_.defining().declare_queue({"live", durability{}}, receipt).error().text,
            "queue 'live' has durability memory, not commit");
  EXPECT_EQ(broker_.defining().declare_queue({"work", durability::memory()}, receipt).error().code, errc::precondition);
  EXPECT_TRUE(broker_.defining().declare_queue({"live", durability::memory()}, receipt));
  EXPECT_TRUE(broker_.defining().declare_queue({"live"}, receipt));
  for (const auto& [name, wanted] : {std::pair("live", durability{}), std::pair("work", durability::memory())}) {
    const auto refused = broker_.defining().adopt_queue({name, wanted});
    EXPECT_EQ(refused.error().code, errc::precondition);
    EXPECT_THAT(refused.error().text, HasSubstr("delete it first"));
  }
  EXPECT_THAT(broker_.defining().adopt_topic({"stream"}).error().text, HasSubstr("delete it first"));
  EXPECT_TRUE(broker_.defining().adopt_queue({"live", durability::memory()}));
  EXPECT_TRUE(broker_.defining().adopt_topic({"stream", 2, 0, {}, 9, overflow::drop_oldest, {}, durability::memory()}));
  broker_.commit();
  for (int i = 0; i < 40; ++i) broker_.publish("memory", "", "m"), turn();
  const auto topics = broker_.inspecting().list_topics();
  for (const auto& partition : topics[0].partitions) EXPECT_EQ(partition.high_watermark - partition.log_start, 9u);
}

TEST_F(in_memory_bounds, a_topic_at_its_bound_rejects) {
  declare_topic({"strict", 1, limits::retention_bytes_min, {}, 0, overflow::reject, {"g"}, durability::memory()});
  broker_.declare_exchange("x", exchange_type::fanout);
  broker_.bind_topic("x", "strict");
  broker_.commit();
  const std::string body(30'000, 'b');
  while (broker_.try_publish("x", "", body)) {
    if (broker_.reading().range("strict", 0)->high_watermark % 3 == 0) turn();
  }
  EXPECT_EQ(broker_.counts().refused_overflow, 1u);
  turn();
  EXPECT_LE(broker_.inspecting().list_topics()[1].partitions[0].bytes, limits::retention_bytes_min);
  EXPECT_EQ(broker_.reading().range("strict", 0)->log_start, 0u);
  broker_.grouping()
      .commit_offset("g", "strict", 0, broker_.reading().range("strict", 0)->high_watermark, "", broker_.next_receipt())
      .value();
  broker_.commit();
  EXPECT_TRUE(broker_.try_publish("x", "", body));
}

TEST_F(in_memory_bounds, age_is_kept_by_the_tick_and_writes_nothing) {
  EXPECT_TRUE(broker_.defining().adopt_topic(
      {"stream", 0, 0, std::chrono::minutes(1), 0, overflow::drop_oldest, {}, durability::memory()}));
  broker_.commit();
  const auto before = written();
  for (int i = 0; i < 12; ++i) {
    broker_.publish("memory", "", "m");
    turn();
    broker_.clock.advance(std::chrono::seconds(10));
    broker_->tick();
    EXPECT_FALSE(turn());
  }
  EXPECT_EQ(range().high_watermark - range().log_start, 6u);
  EXPECT_EQ(written(), before);
}

class without_memory : public testing::Test {
 protected:
  stepping_broker broker_{{16 << 20, 512 * 1024, {}, 0}};
};

TEST_F(without_memory, nothing_is_declared_that_lives_there) {
  const auto queue = broker_.defining().declare_queue({"live", durability::memory()}, broker_.next_receipt());
  EXPECT_EQ(queue.error().code, errc::not_allowed);
  EXPECT_THAT(queue.error().text, HasSubstr("store.memory_bytes_max"));
  api::topic_request topic{"stream"};
  topic.durability = durability::memory();
  EXPECT_EQ(broker_.defining().declare_topic(topic, broker_.next_receipt()).error().field, "durability");
  EXPECT_EQ(broker_.defining().adopt_queue({"live", durability::memory()}).error().code, errc::not_allowed);
}

// The map is full while some riding records belong to the group with the writer and others to the group after it.
class void_with_memory : public in_memory_bounds {
 protected:
  void_with_memory() : in_memory_bounds({8 << 20, 256 * 1024, {}}) {
    const std::string body(60'000, 'b');
    while (broker_.storage().pages().used_pages * 10 < broker_.storage().pages().map_pages * 7) {
      broker_.put("work", body);
      broker_.commit();
    }
    broker_.noted().stored.clear();
  }
  void publish_too_much() {
    for (int i = 0; i < 12; ++i) broker_.put("work", std::string(400'000, 'c'));
  }
};

TEST_F(void_with_memory, takes_back_what_rides_and_nothing_else) {
  broker_.put("live", "kept");
  turn();
  publish_too_much();
  broker_.publish("both", "", "void");
  broker_.publish("memory", "", "void, behind it");
  EXPECT_TRUE(turn());
  broker_.put("live", "void, behind the writer");
  batch_builder builder;
  builder.add(record_view{0, 1, {}, "void, too", {}});
  broker_.publishing().produce("stream", 0, builder.finish(), broker_.next_receipt()).value();
  declare_queue("later", durability::memory());
  broker_.put("later", "void, also");
  turn();
  broker_.commit();
  // The 12 of publish_too_much(), then one each of both, memory, live, the batch and later.
  EXPECT_THAT(broker_.noted().refused, SizeIs(17));
  for (const auto& [token, codes] : broker_.noted().refused) EXPECT_THAT(codes, ElementsAre(errc::store_full));
  EXPECT_EQ(stored(), 2u);  // "kept", and the declaration of "later"
  EXPECT_EQ(range().high_watermark, 0u);
  EXPECT_EQ(broker_.ready("later"), 0u);
  broker_.put("live", "after");
  broker_.publish("memory", "", "and on");
  broker_.put("later", "m");
  turn();
  broker_.commit();
  const auto taken = broker_.pull_all(broker_.consume("live"));
  EXPECT_THAT(bodies(taken), ElementsAre("kept", "after", "and on"));
  EXPECT_EQ(taken.back().offset, 2u);
  EXPECT_EQ(range().high_watermark, 1u);
  EXPECT_EQ(broker_.ready("later"), 1u);
  broker_.pull_all(broker_.consume("later", 0, true));
  turn();
}

}  // namespace
}  // namespace tidegate::core
