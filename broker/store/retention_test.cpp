// Retention: which records and chunks the store drops, and when.
#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::Each;
using testing::IsEmpty;
using testing::Key;
using testing::SizeIs;

TEST(retention, the_bound_in_bytes_is_hard) {
  scratch_store store({16 << 20, 256 * 1024});
  const stream_id log = store.make_log({500'000, {}});
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    store.append_many(log, 1 + static_cast<int>(random() % 40), random() % 30 == 0 ? 5'000 : random() % 300);
    const auto result = store.commit();
    ASSERT_LE(store.view(log).bytes, 500'000u) << i;
  }
  EXPECT_GE(store.view(log).bytes, 500'000u - 2 * chunk_bytes_max);
  EXPECT_EQ(store.bodies(log).size(), store.view(log).end - store.view(log).log_start);
}

TEST(retention, the_bound_holds_beside_whatever_else_is_freed) {
  scratch_store store({48 << 20, 256 * 1024});
  const stream_id old = store.make_log({0, milliseconds(1'000)}), log = store.make_log({200'000, {}});
  for (int i = 0; i < 12; ++i) {
    store.append(old, std::string(900 * 1024, 'x'));
    store.append_many(log, 1, 30'000);
    store.commit_at(milliseconds(i));
  }
  store.open_group().expire();
  store.commit_at(milliseconds(500));
  store.open_group().expire();
  store.set_lifetime(milliseconds(1'500));
  store.append_many(log, 6, 30'000);
  store.commit();
  EXPECT_LE(store.view(log).bytes, 200'000u);
  EXPECT_GT(store.view(old).bytes, 4u << 20);
}

// Records of different days take more bytes when they are merged than in the batches in which they were appended.
TEST(retention, the_bound_holds_when_merging_makes_records_longer) {
  scratch_store store;
  const stream_id log = store.make_log({60'000, {}});
  for (std::int64_t day = 0; day < 200; ++day) {
    for (int i = 0; i < 100; ++i) store.append(log, "", day * 86'400'000);
    store.commit();
    ASSERT_LE(store.view(log).bytes, 60'000u) << day;
  }
}

TEST(retention, a_look_that_finds_nothing_too_old_writes_nothing) {
  scratch_store store;
  const stream_id log = store.make_log({0, milliseconds(1'000)});
  store.append(log, "young");
  store.commit_at(milliseconds(9'000));
  store.open_group().expire();
  const auto marked = store.commit_at(milliseconds(9'100));
  store.open_group().expire();
  const auto look = store.commit_at(milliseconds(9'900));
  EXPECT_EQ(look.commit, marked.commit);
  EXPECT_EQ(look.bytes_written, 0u);
  store.open_group().expire();
  EXPECT_GT(store.commit_at(milliseconds(10'100)).commit, marked.commit);
  EXPECT_THAT(store.bodies(log), IsEmpty());
}

TEST(retention, a_lowered_bound_takes_hold_when_ages_are_looked_at) {
  scratch_store store({48 << 20, 256 * 1024});
  const stream_id log = store.make_log();
  for (int i = 0; i < 10; ++i) {
    store.append(log, std::string(900 * 1024, 'x'));
    store.commit();
  }
  store.open_group().change_stream({stream_change::what::limit, log, stream_kind::log, {100'000, {}}});
  store.commit();
  for (int i = 0; i < 3; ++i) {
    store.open_group().expire();
    store.commit();
  }
  EXPECT_LE(store.view(log).bytes, 100'000u);
  EXPECT_EQ(store.view(log).end, 10u);
}

// One commit moves the protected group's offset, drops the head that the group has read, and appends records.
TEST(retention, what_a_protected_group_lets_go_of_stays_gone) {
  scratch_store store({16 << 20, 1 << 20});
  stream_limits limits{1 << 20, {}, 0, overflow::reject};
  limits.protect = {"readers"};
  const stream_id log = store.make_log(limits);
  for (int i = 0; i < 30; ++i) store.append_many(log, 40, 1'000), store.commit();
  ASSERT_EQ(store.view(log).log_start, 0u);
  store.commit_offset(log, "readers", store.next(log));
  store.append_many(log, 40, 1'000);
  store.commit();
  const offset_t log_start = store.view(log).log_start;
  EXPECT_GT(log_start, 0u);
  store.reopen_killed();
  EXPECT_EQ(store.view(log).log_start, log_start);
  EXPECT_EQ(store.bodies(log).size(), store.next(log) - log_start);
}

TEST(retention, by_age_only_what_is_older_goes) {
  scratch_store store;
  const stream_id log = store.make_log({0, milliseconds(10'000)});
  for (std::int64_t second = 0; second < 100; ++second) {
    store.append(log, std::string(5'000, 'x'), 7);  // the record's own timestamp does not matter
    store.open_group().expire();
    store.commit_at(std::chrono::seconds(second));
    const offset_t first_young = static_cast<offset_t>(std::max<std::int64_t>(0, second - 10));
    ASSERT_LE(store.view(log).log_start, first_young);
    ASSERT_GE(store.view(log).log_start + 2, first_young);
  }
  for (const int second : {100, 1'000}) {
    store.open_group().expire();
    store.commit_at(std::chrono::seconds(second));
  }
  EXPECT_EQ(store.view(log).log_start, 100u);
  EXPECT_THAT(store.bodies(log), IsEmpty());
}

TEST(retention, chunk_bytes_are_the_sum_of_the_chunks) {
  scratch_store store({16 << 20, 64 * 1024});
  const stream_id log = store.make_log({300'000, {}}), queue = store.make_queue();
  for (int i = 0; i < 100; ++i) {
    store.append_many(log, 20, 500);
    store.append_many(queue, 20, 500);
    if (i > 50) store.ack(queue, {static_cast<offset_t>(i) * 15, static_cast<offset_t>(i) * 15 + 14});
    store.commit();
  }
  store.kill();
  std::map<stream_id, std::uint64_t> sums;
  for (const auto& [key, value] : raw_file(store.path()).rows(&tables::chunk)) {
    const std::size_t header = piece_of_chunk_key(key) == 0 ? chunk_header_bytes : 0;
    sums[place_of_chunk_key(key).stream] += value.size() - header;
  }
  store.open();
  for (const auto& [id, ledger] : store->found_books().streams) EXPECT_EQ(ledger.chunks.bytes, sums[id]);
  EXPECT_GT(sums[log], 0u);
  EXPECT_GT(sums[queue], 0u);
}

// Leaves the first message unsettled and acknowledges all later ones. Expects that their chunks are freed.
void expect_middle_freed(int count, std::size_t body_bytes, std::uint64_t left_max) {
  scratch_store store({48 << 20, 256 * 1024});
  const stream_id queue = store.make_queue();
  store.append(queue, "unsettled");
  for (int i = 0; i < count; ++i) {
    store.append(queue, std::string(body_bytes, 'x'));
    if (store.open_group().bytes() > 500'000) store.commit();
  }
  store.commit();
  const std::uint64_t before = store.view(queue).bytes;
  for (offset_t offset = 1; offset < store.next(queue); ++offset) {
    store.ack(queue, offset);
    if (offset % 5'000 == 0) store.commit();
  }
  store.commit_until_idle();
  EXPECT_GT(before, 5u << 20);
  EXPECT_LE(store.view(queue).bytes, left_max);
  EXPECT_EQ(store.view(queue).log_start, 0u);
  EXPECT_EQ(store.bodies(queue).begin()->second, "unsettled");
}

TEST(retention, a_queue_frees_its_middle_of_small_messages) { expect_middle_freed(60'000, 100, 2 << 20); }
TEST(retention, a_queue_frees_its_middle_of_big_messages) { expect_middle_freed(20, 900 * 1024, 2 << 20); }

TEST(retention, freeing_a_middle_goes_on_after_a_kill) {
  scratch_store store({48 << 20, 256 * 1024});
  const stream_id queue = store.make_queue();
  for (int i = 0; i < 20; ++i) {
    store.append(queue, std::string(900 * 1024, 'x'));
    store.commit();
  }
  store.ack(queue, {1, 20});
  EXPECT_TRUE(store.commit().work_left);
  store.reopen_killed();
  store.set_next(queue, 20);
  store.append(queue, std::string(40'000, 'y'));
  store.commit_until_idle();
  EXPECT_LT(store.view(queue).bytes, 1'100'000u);
  EXPECT_THAT(store.bodies(queue), testing::ElementsAre(Key(0), Key(20)));
}

TEST(retention, all_acknowledged_and_closed_is_an_empty_store) {
  scratch_store store({16 << 20, 256 * 1024});
  const std::uint64_t empty = store->pages().used_pages;
  const stream_id queue = store.make_queue();
  std::vector<std::uint64_t> used;
  for (int cycle = 0; cycle < 12; ++cycle) {
    const offset_t begin = store.next(queue);
    for (int i = 0; i < 20; ++i) {
      store.append_many(queue, 100, 1'000);
      store.commit();
    }
    for (offset_t offset = begin; offset < store.next(queue); ++offset) {
      store.ack(queue, begin + (store.next(queue) - 1 - offset));
    }
    store.commit_until_idle();
    EXPECT_EQ(store.view(queue).log_start, store.next(queue));
    EXPECT_EQ(store.view(queue).bytes, 0u);
    store.reopen_closed();
    used.push_back(store->pages().used_pages);
  }
  EXPECT_LE(used.back(), empty + 20);
  EXPECT_LE(used.back(), used[2] + 4);
  store.kill();
  raw_file file(store.path());
  EXPECT_THAT(file.rows(&tables::chunk), IsEmpty());
  EXPECT_LE(file.rows(&tables::state).size(), 2u);
}

TEST(retention, the_journal_keeps_to_its_bound) {
  scratch_store store({32 << 20, 128 * 1024});
  std::vector<stream_id> logs;
  for (int i = 0; i < 60; ++i) logs.push_back(store.make_log());
  store.open_group().set_cursor(logs[0], "pins the head", {1, ""});
  store.open_group().set_producer("pins the head", {1, 1, 1});
  for (int i = 0; i < 2'000; ++i) {
    store.append_many(logs[static_cast<std::size_t>(i * 7) % logs.size()], 1, 500);
    ASSERT_LE(store.commit().journal_bytes, 128u * 1024);
  }
  store.reopen_killed();
  EXPECT_EQ(cursors_in(store->found()).size(), 1u);
  EXPECT_EQ(producers_in(store->found()).size(), 1u);
  for (const stream_id log : logs) EXPECT_EQ(store.bodies(log).size(), store.next(log));
}

}  // namespace
}  // namespace tidegate::store
