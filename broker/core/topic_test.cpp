#include "broker/core/topics/topic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/core/testing.hpp"
#include "broker/core/topics/partitioner.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class topics : public testing::Test {
 protected:
  void declare(std::uint32_t partitions = 1, std::uint64_t retention_bytes = 0, milliseconds retention_age = {}) {
    broker_.declare_topic("log", partitions, retention_bytes, retention_age);
    broker_.bind_topic("amq.topic", "log", "#");
    broker_.commit();
  }
  void append(std::string_view body, std::string_view key = {}) { broker_.publish("amq.topic", "k", body, key); }
  std::string batch_of(int count, std::int64_t timestamp_ms = 5) {
    batch_builder builder;
    for (int i = 0; i < count; ++i) {
      const std::string body = "p" + std::to_string(i);
      builder.add(record_view{static_cast<offset_t>(i), timestamp_ms + i, {}, body, {}});
    }
    return builder.finish();
  }
  result<offset_t> produce(std::string_view batch, std::uint32_t partition = 0) {
    return broker_.publishing().produce("log", partition, batch, broker_.next_receipt());
  }
  api::fetched range() { return broker_.reading().range("log", 0).value(); }
  stepping_broker broker_;
};

TEST_F(topics, offsets_are_dense_across_publishes_produces_and_commits) {
  declare();
  append("a");
  EXPECT_EQ(produce(batch_of(3)).value(), 1u);
  append("b");
  broker_.flush();
  EXPECT_EQ(produce(batch_of(2)).value(), 5u);
  broker_.commit();
  const auto found = broker_.read("log", 0, 0);
  ASSERT_EQ(found.size(), 7u);
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].offset, i);
  EXPECT_EQ(found[4].body, "b");
  EXPECT_EQ(range().high_watermark, 7u);
  broker_.reopen_killed();
  EXPECT_EQ(produce(batch_of(1)).value(), 7u);
}

TEST_F(topics, nothing_beyond_the_durable_end_is_seen) {
  declare();
  append("a");
  broker_.flush();
  EXPECT_EQ(range().high_watermark, 0u);
  EXPECT_THAT(broker_.read("log", 0, 0), IsEmpty());
  broker_.finish();
  EXPECT_EQ(range().high_watermark, 1u);
}

TEST_F(topics, a_key_stays_with_its_partition_and_keyless_records_of_a_group_stay_together) {
  declare(6);
  for (const std::string key : {"a", "key-1", "sensor/42"}) append(key, key);
  broker_.commit();
  for (const std::string key : {"a", "key-1", "sensor/42"}) {
    bool found = false;
    for (const auto& record : broker_.read("log", core::topics::murmur2(key) % 6, 0)) found |= record.key == key;
    EXPECT_TRUE(found) << key;
  }
  std::set<std::uint32_t> used;
  for (int group = 0; group < 6; ++group) {
    const auto before = broker_.inspecting().list_topics()[0].partitions;
    for (int i = 0; i < 10; ++i) append("keyless");
    broker_.commit();
    const auto after = broker_.inspecting().list_topics()[0].partitions;
    for (std::uint32_t i = 0; i < 6; ++i) {
      if (after[i].high_watermark == before[i].high_watermark) continue;
      EXPECT_EQ(after[i].high_watermark, before[i].high_watermark + 10);
      used.insert(i);
    }
  }
  EXPECT_EQ(used.size(), 6u);
}

TEST_F(topics, a_watch_tells_once_of_the_next_change) {
  declare();
  const auto stream = broker_.reading().watch(broker_.session(), "log", 0).value();
  EXPECT_EQ(broker_.reading().watch(broker_.session(), "log", 0).value(), stream);
  append("a");
  broker_.flush();
  EXPECT_THAT(broker_.noted().changes, IsEmpty());
  broker_.finish();
  EXPECT_THAT(broker_.noted().changes, ElementsAre(stream));
  append("b");
  broker_.commit();
  EXPECT_THAT(broker_.noted().changes, ElementsAre(stream));
  EXPECT_EQ(broker_.reading().watch(broker_.session(), "log", 1).error().code, errc::not_found);
}

TEST_F(topics, a_watch_ends_with_its_topic_and_with_its_session) {
  declare();
  noting_session gone;
  const auto session = broker_.sessions().attach(gone);
  EXPECT_TRUE(broker_.reading().watch(session, "log", 0));
  EXPECT_TRUE(broker_.reading().watch(broker_.session(), "log", 0));
  broker_.detach(session);
  EXPECT_EQ(broker_.reading().watches(), 1u);
  broker_.defining().remove_topic("log", broker_.next_receipt()).value();
  EXPECT_EQ(broker_.reading().watches(), 0u);
  EXPECT_THAT(broker_.noted().changes, IsEmpty());
  broker_->tell();
  EXPECT_EQ(broker_.noted().changes.size(), 1u);
  EXPECT_THAT(gone.changes, IsEmpty());
  broker_.commit();
  EXPECT_EQ(broker_.reading().fetch("log", 0, 0, 1).error().code, errc::not_found);
}

TEST_F(topics, an_offset_out_of_range_comes_with_the_range) {
  declare();
  append("a");
  broker_.commit();
  EXPECT_FALSE(broker_.reading().fetch("log", 0, 1, 1'000).value().out_of_range);
  const auto beyond = broker_.reading().fetch("log", 0, 2, 1'000).value();
  EXPECT_TRUE(beyond.out_of_range);
  EXPECT_EQ(beyond.log_start, 0u);
  EXPECT_EQ(beyond.high_watermark, 1u);
}

TEST_F(topics, a_fetch_gives_whole_batches_the_first_however_large) {
  declare();
  for (int i = 0; i < 3; ++i) {
    produce(batch_of(10)).value();
    broker_.commit();
  }
  const std::size_t size = batch_of(10).size();
  auto fetched = broker_.reading().fetch("log", 0, 5, 1).value();
  EXPECT_EQ(fetched.batches.size(), size);
  EXPECT_TRUE(fetched.more);
  EXPECT_EQ(read_batch(fetched.batches).value().base_offset, 0u);
  fetched = broker_.reading().fetch("log", 0, 0, 2 * size).value();
  EXPECT_EQ(fetched.batches.size(), 2 * size);
  EXPECT_TRUE(fetched.more);
  fetched = broker_.reading().fetch("log", 0, 0, 3 * size).value();
  EXPECT_EQ(fetched.batches.size(), 3 * size);
  EXPECT_FALSE(fetched.more);
}

TEST_F(topics, what_is_produced_is_checked) {
  declare();
  std::string batch = batch_of(2);
  batch.back() ^= 1;
  EXPECT_EQ(produce(batch).error().code, errc::invalid);
  EXPECT_EQ(produce(batch_of(1) + batch_of(1)).error().code, errc::invalid);
  EXPECT_EQ(produce("").error().code, errc::invalid);
  EXPECT_EQ(produce(std::string(limits::batch_bytes + 1, 'b')).error().code, errc::too_large);
  EXPECT_EQ(produce(batch_of(1), 1).error().field, "partition");
  EXPECT_EQ(range().high_watermark, 0u);
}

TEST_F(topics, a_time_finds_the_first_record_not_before_it) {
  declare();
  std::vector<std::int64_t> times;
  for (int i = 0; i < 20; ++i) {
    times.push_back(broker_.clock.wall().count());
    append(std::to_string(i));
    if (i % 3 == 0) broker_.commit();
    broker_.clock.advance(milliseconds(10));
  }
  broker_.commit();
  const auto find = [&](std::int64_t time) { return broker_.reading().find_time("log", 0, time).value(); };
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(find(times[i]), i);
    EXPECT_EQ(find(times[i] - 9), i);
  }
  EXPECT_EQ(find(0), 0u);
  EXPECT_EQ(find(times.back() + 1), 20u);
}

TEST_F(topics, times_do_not_go_back_with_a_clock_that_nobody_vouches_for) {
  declare();
  append("a");
  broker_.reopen_closed();
  broker_.clock.reboot();
  broker_.clock.set_wall(milliseconds(1'000));  // 1970
  broker_.clock.trust_wall(false);
  broker_.reopen_killed();
  append("b");
  broker_.commit();
  broker_.reopen_killed();
  append("c");
  broker_.commit();
  const auto found = broker_.read("log", 0, 0);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_LE(found[0].timestamp_ms, found[1].timestamp_ms);
  EXPECT_LE(found[1].timestamp_ms, found[2].timestamp_ms);
}

TEST_F(topics, declared_but_not_yet_on_flash_are_empty) {
  broker_.declare_topic("log");
  EXPECT_EQ(range().high_watermark, 0u);
  EXPECT_EQ(broker_.reading().find_time("log", 0, 1).value(), 0u);
  EXPECT_THAT(broker_.reading().fetch("log", 0, 0, 1).value().batches, IsEmpty());
  broker_.commit();
}

TEST_F(topics, committed_offsets_survive_a_kill_and_show_their_lag) {
  declare(2);
  for (int i = 0; i < 10; ++i) append("m", "a");
  broker_.commit();
  const std::uint32_t partition = core::topics::murmur2("a") % 2;
  EXPECT_FALSE(broker_.grouping().committed("group", "log", partition).value().has_value());
  broker_.grouping().commit_offset("group", "log", partition, 4, "meta", broker_.next_receipt()).value();
  broker_.commit();
  EXPECT_EQ(broker_.noted().stored.back(), broker_.last_token());
  broker_.reopen_killed();
  const auto state = broker_.grouping().committed("group", "log", partition).value();
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->offset, 4u);
  EXPECT_EQ(state->metadata, "meta");
  const auto rows = broker_.inspecting().list_groups();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].group, "group");
  EXPECT_EQ(rows[0].lag, 6u);
}

TEST_F(topics, committed_offsets_are_bounded_and_end_with_their_topic) {
  declare();
  const auto commit = [&](std::string_view group, std::string_view metadata) {
    return broker_.grouping().commit_offset(group, "log", 0, 1, metadata, broker_.next_receipt());
  };
  EXPECT_EQ(commit("g", std::string(limits::metadata_bytes + 1, 'm')).error().code, errc::too_large);
  EXPECT_EQ(commit("", "").error().code, errc::invalid);
  EXPECT_EQ(commit("\xff", "").error().code, errc::invalid);
  for (std::size_t i = 0; i < limits::definitions_count; ++i) ASSERT_TRUE(commit("g" + std::to_string(i), ""));
  EXPECT_EQ(commit("one more", "").error().code, errc::limit);
  EXPECT_TRUE(commit("g7", "moved"));
  broker_.commit();
  broker_.defining().remove_topic("log", broker_.next_receipt()).value();
  declare();
  EXPECT_FALSE(broker_.grouping().committed("g7", "log", 0).value().has_value());
  broker_.reopen_killed();
  EXPECT_THAT(broker_.inspecting().list_groups(), IsEmpty());
}

TEST_F(topics, retention_by_bytes_is_a_hard_bound_and_moves_the_start_only_up) {
  declare(1, limits::retention_bytes_min);
  offset_t start = 0;
  for (int i = 0; i < 300; ++i) {
    append(std::string(10'000, 'b'));
    broker_.commit();
    const auto row = broker_.inspecting().list_topics()[0].partitions[0];
    EXPECT_LE(row.bytes, limits::retention_bytes_min);
    EXPECT_GE(row.log_start, start);
    EXPECT_EQ(row.high_watermark, static_cast<offset_t>(i + 1));
    start = row.log_start;
  }
  EXPECT_GT(start, 150u);
  EXPECT_TRUE(broker_.reading().fetch("log", 0, 0, 1'000).value().out_of_range);
  const auto kept = broker_.read("log", 0, start);
  EXPECT_EQ(kept.size(), 300 - start);
  EXPECT_EQ(kept.front().offset, start);
}

TEST_F(topics, retention_by_age_works_by_tick) {
  declare(1, 0, std::chrono::hours(1));
  append("old");
  broker_.commit();
  broker_->tick();
  broker_.commit();
  broker_.clock.advance(std::chrono::minutes(50));
  append("young");
  broker_.commit();
  broker_->tick();
  broker_.commit();
  EXPECT_EQ(range().log_start, 0u);
  // Jumps of the wall clock do not matter.
  for (const int years : {+10, -10}) {
    broker_.clock.set_wall(broker_.clock.wall() + std::chrono::hours(years * 8'766));
    broker_->tick();
    broker_.commit();
    EXPECT_EQ(range().log_start, 0u);
  }
  broker_.clock.advance(std::chrono::minutes(20));
  broker_->tick();
  broker_.commit();
  EXPECT_EQ(range().log_start, 1u);
  ASSERT_EQ(broker_.read("log", 0, 1).size(), 1u);
  broker_.reopen_killed();
  EXPECT_EQ(range().log_start, 1u);
  EXPECT_EQ(range().high_watermark, 2u);
  const auto losses = broker_.inspecting().list_losses().value();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].record.reason, store::loss_reason::retention_age);
  EXPECT_EQ(losses[0].record.records, 1u);
}

TEST_F(topics, an_untrusted_clock_is_marked_and_goes_on_from_the_last_time_known) {
  declare(1, 0, std::chrono::hours(1));
  append("with the right time");
  broker_.commit();
  const auto before = broker_.clock.wall().count();
  broker_.reopen_closed();
  broker_.clock.reboot();
  broker_.clock.set_wall(milliseconds(0));  // no battery: 1970
  broker_.clock.trust_wall(false);
  broker_.reopen_killed();
  broker_.clock.advance(std::chrono::seconds(5));
  append("with an estimate");
  broker_.commit();
  const auto records = broker_.read("log", 0, 0);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].timestamp_ms, before);
  EXPECT_EQ(records[0].headers, "tg-routing-key,tg-exchange,");
  EXPECT_EQ(records[1].timestamp_ms, before + 5'000);
  EXPECT_EQ(records[1].headers, "tg-routing-key,tg-exchange,tg-estimated,");
}

// The clock is twenty years ahead for two seconds, and is then corrected.
TEST_F(topics, stamps_are_right_again_once_the_clock_is_and_what_was_stamped_in_error_is_marked) {
  constexpr milliseconds twenty_years = std::chrono::hours(24 * 7'305);
  declare();
  append("before");
  broker_.clock.set_wall(broker_.clock.wall() + twenty_years);
  append("in error");
  broker_.commit();
  const std::int64_t in_error = broker_.clock.wall().count();
  broker_.clock.advance(std::chrono::seconds(2));
  broker_.clock.set_wall(broker_.clock.wall() - twenty_years);
  append("corrected");
  append("after");
  broker_.commit();
  broker_.reopen_killed();
  broker_.clock.advance(std::chrono::seconds(5));
  append("after a restart");
  broker_.commit();
  const auto records = broker_.read("log", 0, 0);
  ASSERT_EQ(records.size(), 5u);
  const std::int64_t now = broker_.clock.wall().count();
  EXPECT_EQ(records[1].timestamp_ms, in_error);
  EXPECT_EQ(records[2].timestamp_ms, now - 5'000);
  EXPECT_EQ(records[2].headers, "tg-routing-key,tg-exchange,tg-clock-corrected,");
  EXPECT_EQ(records[3].timestamp_ms, now - 5'000);
  EXPECT_EQ(records[3].headers, "tg-routing-key,tg-exchange,");
  EXPECT_EQ(records[4].timestamp_ms, now);
  EXPECT_EQ(records[4].headers, "tg-routing-key,tg-exchange,");
  // Finds the first record at or after the time, whatever the order of the timestamps.
  const auto found = [&](std::int64_t at) { return broker_.reading().find_time("log", 0, at).value(); };
  EXPECT_EQ(found(now), 1u);
  EXPECT_EQ(found(in_error), 1u);
  EXPECT_EQ(found(in_error + 1), 5u);
}

TEST_F(topics, a_clock_that_was_wrong_until_a_restart_is_corrected_behind_it) {
  constexpr milliseconds twenty_years = std::chrono::hours(24 * 7'305);
  declare();
  broker_.clock.set_wall(broker_.clock.wall() + twenty_years);
  append("in error");
  broker_.reopen_closed();
  broker_.clock.reboot(-twenty_years);
  broker_.reopen_killed();
  append("corrected");
  broker_.commit();
  const auto records = broker_.read("log", 0, 0);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].timestamp_ms, broker_.clock.wall().count());
  EXPECT_EQ(records[1].headers, "tg-routing-key,tg-exchange,tg-clock-corrected,");
}

// After a small step back, as a time server makes it, timestamps stand still instead of going back.
TEST_F(topics, a_small_step_back_of_the_clock_is_waited_out) {
  declare();
  append("a");
  broker_.clock.set_wall(broker_.clock.wall() - std::chrono::seconds(3));
  append("b");
  broker_.commit();
  const auto records = broker_.read("log", 0, 0);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].timestamp_ms, records[0].timestamp_ms);
  EXPECT_EQ(records[1].headers, "tg-routing-key,tg-exchange,");
}

// Producers stamp the records of their batches in any order. The broker's own timestamps must not depend on them.
TEST_F(topics, a_producers_own_time_does_not_move_the_brokers) {
  declare();
  produce(batch_of(1, broker_.clock.wall().count() + 1'000'000'000)).value();
  broker_.reopen_closed();
  append("mine");
  broker_.commit();
  EXPECT_EQ(broker_.read("log", 0, 0)[1].timestamp_ms, broker_.clock.wall().count());
  EXPECT_EQ(broker_.read("log", 0, 0)[1].headers, "tg-routing-key,tg-exchange,");
}

TEST_F(topics, one_that_rejects_refuses_at_its_bound_and_takes_again_when_its_readers_moved_on) {
  api::topic_request request{"strict", 1, 1 << 20, {}, 0, overflow::reject, {"bridge"}};
  broker_.defining().declare_topic(request, broker_.next_receipt()).value();
  broker_.bind_topic("amq.topic", "strict", "strict");
  broker_.commit();
  const std::string body(10'000, 'b');
  int stored = 0;
  result<api::publish_outcome> last = api::publish_outcome::stored;
  while (stored < 1'000 && (last = broker_.try_publish("amq.topic", "strict", body))) {
    ++stored;
    if (stored % 3 == 0) broker_.commit();
  }
  broker_.commit();
  EXPECT_GT(stored, 80);
  EXPECT_LE(broker_.inspecting().list_topics().back().partitions[0].bytes, 1u << 20);
  EXPECT_EQ(last.error().code, errc::target_full);
  EXPECT_THAT(last.error().text, testing::HasSubstr("'strict'"));
  EXPECT_EQ(broker_.reading().range("strict", 0).value().log_start, 0u);
  EXPECT_TRUE(broker_.inspecting().list_losses().value().empty());
  broker_.grouping().commit_offset("bridge", "strict", 0, 50, "", broker_.next_receipt()).value();
  broker_.commit();
  EXPECT_TRUE(broker_.try_publish("amq.topic", "strict", body));
  broker_.commit();
  const auto losses = broker_.inspecting().list_losses().value();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].record.unread, 0u);
}

TEST_F(topics, one_that_rejects_counts_what_is_on_its_way) {
  api::topic_request request{"strict", 1, 1 << 20, {}, 10, overflow::reject, {}};
  broker_.defining().declare_topic(request, broker_.next_receipt()).value();
  broker_.bind_topic("amq.topic", "strict", "strict");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(broker_.try_publish("amq.topic", "strict", "m"));
  EXPECT_FALSE(broker_.try_publish("amq.topic", "strict", "m"));
  broker_.commit();
  EXPECT_FALSE(broker_.try_publish("amq.topic", "strict", "m"));
  EXPECT_EQ(broker_.read("strict", 0, 0).size(), 10u);
}

// Whichever reader comes first, and from whichever offset: each lost record is recorded exactly once.
TEST_F(topics, what_is_missing_is_told_once_in_all) {
  declare();
  for (int i = 0; i < 40; ++i) produce(batch_of(1'000)), broker_.commit();
  offset_t begin = 0, end = 0;
  broker_.reopen_changed([&](const std::filesystem::path& folder) {
    store::raw_file file(folder);
    const auto chunks = file.rows(&store::tables::chunk);
    ASSERT_GE(chunks.size(), 3u);
    begin = store::place_of_chunk_key(chunks.begin()->first).last_offset + 1;
    end = store::place_of_chunk_key(std::next(chunks.begin())->first).last_offset + 1;
    file.erase(&store::tables::chunk, std::next(chunks.begin())->first);
  });
  const auto told = [&] {
    broker_.commit();
    std::uint64_t records = 0;
    const auto losses = broker_.inspecting().list_losses().value();
    for (const auto& row : losses) records += row.record.records;
    return records;
  };
  const auto fetch = [&](offset_t from) {
    EXPECT_FALSE(broker_.reading().fetch("log", 0, from, 1 << 20).value().batches.empty());
  };
  fetch(end - 10);
  EXPECT_EQ(told(), 10u);
  fetch(begin);
  EXPECT_EQ(told(), end - begin);
  broker_.reopen_killed();
  fetch(begin), fetch(end - 5), fetch(begin + 5);
  EXPECT_EQ(told(), end - begin);
}

TEST_F(topics, without_a_bound_by_age_a_tick_writes_nothing) {
  declare();
  append("a");
  broker_.commit();
  const auto commits = broker_->commits().figures().commits;
  broker_.clock.advance(std::chrono::hours(24 * 6));
  broker_->tick();
  broker_.commit();
  EXPECT_EQ(broker_->commits().figures().commits, commits);
}

}  // namespace
}  // namespace tidegate::core
