// A map without room: publishes are refused, everything else goes on, and it recovers by itself.
#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

// Fills with 60 KB a commit, past the mark that core heeds, until the writer refuses. Returns how many were stored.
offset_t fill_up(scratch_store& store, stream_id queue) {
  for (int i = 0; i < 1'000; ++i) {
    store.append_many(queue, 60, 1'000);
    if (!store.commit().appends_stored) {
      store.set_next(queue, store.view(queue).end);
      return store.view(queue).end;
    }
  }
  ADD_FAILURE() << "never full";
  return 0;
}

void drain(scratch_store& store, stream_id queue) {
  for (const auto& [offset, body] : store.bodies(queue)) {
    store.ack(queue, offset);
    if (offset % 50 == 0) store.commit();
  }
  store.commit_until_idle();
}

TEST(full_map, refuses_appends_and_stores_the_rest_of_the_group) {
  scratch_store store;
  const stream_id queue = store.make_queue(), log = store.make_log();
  store.append(log, "before");
  store.commit();
  const offset_t end = fill_up(store, queue);
  ASSERT_GT(end, 1'000u);
  store.append_many(queue, 900, 1'000);
  store.append(log, "with the refused ones");
  store.ack(queue, 0);
  store.open_group().set_cursor(log, "readers", {1, ""});
  store.open_group().put_definition("qa", "{}");
  store.open_group().set_producer("refused", {1, 1, 1});
  store.open_group().count_delivery(queue, 7, 2);
  const auto result = store.commit();
  EXPECT_FALSE(result.appends_stored);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(store.view(queue).log_start, 1u);
    EXPECT_EQ(store.view(queue).end, end);
    EXPECT_EQ(store.view(log).end, 1u);
    EXPECT_EQ(store.bodies(queue).size(), end - 1);
    store.reopen_killed();
    EXPECT_EQ(store->found().cursors.size(), 1u);
    EXPECT_EQ(store->found().definitions.size(), 1u);
    EXPECT_EQ(store->found().producers.size(), 0u);
    EXPECT_EQ(store->found_books().streams.at(queue).deliveries.size(), 1u);
  }
}

TEST(full_map, drains_to_empty_and_takes_appends_again) {
  scratch_store store;
  const std::uint64_t empty = store->pages().used_pages;
  const stream_id queue = store.make_queue();
  store.commit();
  offset_t first = 0;
  for (int cycle = 0; cycle < 6; ++cycle) {
    const offset_t end = fill_up(store, queue);
    if (cycle == 0) first = end;
    EXPECT_TRUE(store->is_full());
    EXPECT_GE(end - store.view(queue).log_start, first * 8 / 10) << cycle;
    drain(store, queue);
    EXPECT_EQ(store.view(queue).log_start, end);
    EXPECT_FALSE(store->is_full());
    EXPECT_LT(store->pages().used_pages, empty + 200);
    store.append(queue, "again");
    EXPECT_TRUE(store.commit().appends_stored);
    EXPECT_EQ(store.bodies(queue).begin()->second, "again");
  }
}

TEST(full_map, a_stuck_head_does_not_keep_it_full) {
  scratch_store store({16 << 20, 256 * 1024});
  const stream_id queue = store.make_queue();
  store.commit();
  const offset_t end = fill_up(store, queue);
  for (offset_t offset = 1; offset < end; ++offset) {
    store.ack(queue, offset);
    if (offset % 100 == 0) store.commit();
  }
  store.commit_until_idle();
  EXPECT_FALSE(store->is_full());
  store.append_many(queue, 60, 1'000);
  EXPECT_TRUE(store.commit().appends_stored);
  EXPECT_EQ(store.view(queue).log_start, 0u);
}

TEST(full_map, is_full_is_told_at_the_mark) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.commit();
  while (!store->is_full()) {
    const auto& pages = store->pages();
    EXPECT_LE(static_cast<double>(pages.used_pages), refuse_above * static_cast<double>(pages.map_pages));
    store.append_many(queue, 20, 1'000);
    ASSERT_TRUE(store.commit().appends_stored);
  }
  EXPECT_GT(static_cast<double>(store->pages().used_pages), refuse_above * static_cast<double>(store->pages().map_pages));
  // One more group of the usual size still has its place.
  store.append_many(queue, 20, 1'000);
  EXPECT_TRUE(store.commit().appends_stored);
  store.reopen_killed();
  EXPECT_TRUE(store->is_full());
}

TEST(full_map, a_full_store_can_be_closed_and_opened) {
  scratch_store store({8 << 20, 2 << 20});
  const stream_id queue = store.make_queue();
  store.commit();
  const offset_t end = fill_up(store, queue);
  store.reopen_closed();
  EXPECT_EQ(store.bodies(queue).size(), end);
  drain(store, queue);
  EXPECT_EQ(store.view(queue).log_start, end);
}

}  // namespace
}  // namespace tidegate::store
