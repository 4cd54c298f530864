// When the map has no room, publishes are refused and everything else continues. The store recovers by itself.
#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

// Appends 60 KB a commit, then 1 KB a commit, until the writer refuses that too. Passes the mark at which core stops.
// Returns the number of stored messages.
offset_t fill_up(scratch_store& store, stream_id queue) {
  bool is_full = false;
  for (const int count : {60, 1}) {
    is_full = false;
    for (int i = 0; i < 1'000 && !is_full; ++i) {
      store.append_many(queue, count, 1'000);
      is_full = !store.commit().appends_stored;
      if (is_full) store.set_next(queue, store.view(queue).end);
    }
  }
  EXPECT_TRUE(is_full) << "never full";
  return store.view(queue).end;
}

void drain(scratch_store& store, stream_id queue) {
  for (const auto& [offset, body] : store.bodies(queue)) {
    store.ack(queue, offset);
    if (offset % 50 == 0) store.commit();
  }
  store.commit_until_idle();
}

// Commits records that do not fit together with changes of every other kind. Expects that only the records are refused.
void expect_rest_stored(scratch_store& store, stream_id queue, int refused_kib) {
  const stream_id log = store.make_log();
  store.append(log, "before");
  const offset_t end = store.view(queue).end;
  ASSERT_TRUE(store.commit().streams.size() == 1);
  const bool was_stored = store.view(log).end == 1;
  store.append_many(queue, refused_kib, 1'024);
  store.append(log, "with the refused ones");
  store.ack(queue, 0);
  store.open_group().set_cursor(log, "readers", {1, ""});
  store.open_group().put_definition("qa", "{}");
  store.open_group().set_producer("refused", {1, 1, 1});
  store.open_group().count_delivery(queue, 7, 2);
  EXPECT_FALSE(store.commit().appends_stored);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(store.view(queue).log_start, 1u);
    EXPECT_EQ(store.view(queue).end, end);
    EXPECT_EQ(store.view(log).end, was_stored ? 1u : 0u);
    EXPECT_EQ(store.bodies(queue).size(), end - 1);
    store.reopen_killed();
    EXPECT_EQ(cursors_in(store->found()).size(), 1u);
    EXPECT_EQ(definitions_in(store->found()).size(), 1u);
    EXPECT_EQ(producers_in(store->found()).size(), 0u);
    EXPECT_EQ(store->found_books().streams.at(queue).marks->deliveries.size(), 1u);
  }
}

TEST(full_map, above_the_mark_records_are_refused_and_the_rest_is_stored) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.commit();
  fill_up(store, queue);
  expect_rest_stored(store, queue, 1);
}

TEST(full_map, records_that_do_not_fit_are_refused_and_the_rest_is_stored) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.append_many(queue, 100, 1'000);
  store.commit();
  expect_rest_stored(store, queue, 9'000);
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

// Records of any size are sent although the store is full, and acknowledgements come in any order. The store never runs
// out of pages.
TEST(full_map, publishers_who_do_not_listen_do_no_harm) {
  for (const std::uint32_t seed : {1u, 2u, 3u, 4u}) {
    std::mt19937 random(seed);
    scratch_store store({8 << 20, seed % 2 == 0 ? 256u * 1024 : 2u << 20});
    const stream_id queue = store.make_queue();
    store.commit();
    std::set<offset_t> held;
    int refused = 0;
    const std::size_t size_max = seed < 3 ? 200 : 60'000;
    for (int i = 0; i < 1'500; ++i) {
      const offset_t begin = store.next(queue);
      for (std::size_t left = random() % 5; left > 0; --left) {
        store.append(queue, std::string(random() % size_max, 'x'));
      }
      if (random() % 300 == 0) store.append(queue, std::string(900'000, 'x'));
      const std::size_t acks = i < 700 ? random() % 2 : random() % 8;
      for (std::size_t left = acks; left > 0 && !held.empty(); --left) {
        auto settled = held.lower_bound(random() % begin);
        if (settled == held.end()) settled = held.begin();
        store.ack(queue, *settled);
        held.erase(settled);
      }
      if (!store.commit().appends_stored) {
        ++refused;
        store.set_next(queue, store.view(queue).end);
      }
      for (offset_t offset = begin; offset < store.next(queue); ++offset) held.insert(offset);
    }
    if (size_max > 200) {
      EXPECT_GT(refused, 100);
    }
    const auto found = store.bodies(queue);
    for (const offset_t offset : held) ASSERT_TRUE(found.contains(offset)) << offset;
    for (const offset_t offset : held) store.ack(queue, offset);
    store.commit_until_idle();
    EXPECT_EQ(store.view(queue).log_start, store.view(queue).end);
    EXPECT_FALSE(store->is_full());
  }
}

// The writer may drop the records more than once, when it tries a commit again.
TEST(full_map, that_records_were_dropped_stays_known) {
  commit_group group;
  group.append(stream_id{1}, 0, 0, {});
  EXPECT_FALSE(group.contents().has_dropped_appends);
  for (int i = 0; i < 2; ++i) {
    group.drop_appends();
    EXPECT_TRUE(group.contents().has_dropped_appends);
    EXPECT_FALSE(group.appends());
  }
}

TEST(full_map, is_full_is_told_at_the_mark) {
  scratch_store store;
  const stream_id queue = store.make_queue();
  store.commit();
  while (!store->is_full()) {
    EXPECT_LE(store->pages().used_share(), refuse_above);
    store.append_many(queue, 20, 1'000);
    ASSERT_TRUE(store.commit().appends_stored);
  }
  EXPECT_GT(store->pages().used_share(), refuse_above);
  // There is still room for one more commit group of the usual size.
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
