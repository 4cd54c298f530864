// Bounds drop messages, and the loss ledger records every drop.
#include <gmock/gmock.h>

#include <limits>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

std::map<loss_number, loss_record> losses_of(scratch_store& store) { return store->read().losses().value(); }

// Expects that each of the log's rows adjoins the one before, and that together they cover exactly what was dropped.
void expect_ledger_is_true(scratch_store& store, stream_id log) {
  offset_t end = 0;
  std::uint64_t records = 0;
  for (const auto& [number, row] : losses_of(store)) {
    if (row.stream != log) continue;
    EXPECT_EQ(row.first, end);
    EXPECT_EQ(row.records, row.end - row.first);
    end = row.end;
    records += row.records;
  }
  EXPECT_EQ(end, store.view(log).log_start);
  EXPECT_EQ(store.view(log).drops.records, records);
}

TEST(losses, drops_at_the_bound_in_bytes_are_told) {
  scratch_store store({16 << 20, 128 * 1024});
  const stream_id log = store.make_log({300'000});
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    store.append_many(log, 1 + static_cast<int>(random() % 40), 10 + random() % 300);
    store.commit_at(milliseconds(i * 10));
    expect_ledger_is_true(store, log);
    if (i % 40 == 20) store.reopen_killed();
    if (i % 40 == 39) store.reopen_closed();
  }
  const auto rows = losses_of(store);
  EXPECT_GT(rows.begin()->second.end, 0u);
  EXPECT_EQ(rows.begin()->second.reason, loss_reason::retention_bytes);
  EXPECT_GT(rows.begin()->second.bytes, 15'000u);
}

TEST(losses, adjoining_drops_are_one_row_for_an_hour) {
  scratch_store store({16 << 20, 256 * 1024});
  const stream_id log = store.make_log({0, {}, 10});
  store.append_many(log, 10, 100);
  store.commit();
  for (int minute = 0; minute < 150; ++minute) {
    store.append_many(log, 2, 100);
    store.commit_at(std::chrono::minutes(minute));
  }
  const auto rows = losses_of(store);
  ASSERT_THAT(rows, SizeIs(3));
  EXPECT_EQ(rows.at(1).first, 0u);
  EXPECT_EQ(rows.at(1).end, 120u);
  EXPECT_EQ(rows.at(1).since, milliseconds(1'700'000'000'000));
  EXPECT_EQ(rows.at(1).until, milliseconds(1'700'000'000'000) + std::chrono::minutes(59));
  expect_ledger_is_true(store, log);
}

TEST(losses, the_bound_in_records_is_exact) {
  scratch_store store({16 << 20, 128 * 1024});
  const stream_id log = store.make_log({0, {}, 1'000});
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    store.append_many(log, 1 + static_cast<int>(random() % 100), 10 + random() % 1'000);
    store.commit();
    ASSERT_LE(store.view(log).end - store.view(log).log_start, 1'000u);
    if (i % 50 == 20) store.reopen_killed();
  }
  EXPECT_EQ(store.bodies(log).size(), 1'000u);
  expect_ledger_is_true(store, log);
  store.commit_until_idle();
  EXPECT_LT(store.view(log).bytes, 1'600'000u);
}

TEST(losses, rows_are_bounded_and_totals_stay) {
  scratch_store store({16 << 20, 64 * 1024});
  const stream_id log = store.make_log({0, {}, 10});
  for (int hour = 0; hour < 60; ++hour) {
    store.append_many(log, 10, 2'000);
    store.commit_at(std::chrono::hours(hour * 2));
  }
  store.reopen_closed();
  EXPECT_THAT(losses_of(store), SizeIs(59));
  store.set_loss_rows_max(20);
  store.reopen_closed();
  store.append_many(log, 10, 100);
  store.commit_at(std::chrono::hours(200));
  store.reopen_closed();
  EXPECT_EQ(store.view(log).log_start, 600u);
  const auto rows = losses_of(store);
  EXPECT_THAT(rows, SizeIs(20));
  EXPECT_EQ(rows.rbegin()->second.end, 600u);
  EXPECT_EQ(store.view(log).drops.records, 600u);
}

TEST(losses, what_a_device_lost_is_a_row_of_its_own) {
  scratch_store store;
  loss_record gone{loss_reason::device, stream_id{}, "hall", 7, 12, 5};
  store.open_group().lose(gone);
  store.commit_at(milliseconds(5));
  store.reopen_killed();
  const auto rows = losses_of(store);
  ASSERT_THAT(rows, SizeIs(1));
  EXPECT_EQ(rows.at(1).source, "hall");
  EXPECT_EQ(rows.at(1).records, 5u);
  EXPECT_EQ(rows.at(1).since, milliseconds(1'700'000'000'005));
}

// A chunk can be a little longer than the batches it was made of: records of different days take more bytes when they
// are merged. So a roll-up can bring a log over its bound. The commit's blob is finished by then, so the next commit
// drops the log's head.
TEST(losses, what_a_roll_up_brings_over_the_bound_goes_with_the_next_commit) {
  scratch_store store({8 << 20, 80 * 1024});
  const auto append_days = [&](stream_id log) {
    for (std::int64_t day = 0; day < 10; ++day) {
      for (int i = 0; i < 100; ++i) store.append(log, "", day * 86'400'000);
      store.commit_until_idle();
    }
  };
  const stream_id unbounded = store.make_log(), other = store.make_queue();
  append_days(unbounded);
  const std::uint64_t bound = store.view(unbounded).bytes;
  const stream_id log = store.make_log({bound});
  append_days(log);
  ASSERT_EQ(store.view(log).log_start, 0u);
  ASSERT_EQ(store.view(log).bytes, bound);
  while (store.view(log).log_start == 0) {
    ASSERT_FALSE(store->is_full());
    store.append(other, std::string(2'000, 'o'));
    store.commit_until_idle();
    EXPECT_LE(store.view(log).bytes, bound);
  }
  const auto rows = losses_of(store);
  ASSERT_EQ(rows.size(), 1u);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(losses_of(store), rows);
    EXPECT_EQ(store.view(log).drops.records, store.view(log).log_start);
    store.reopen_killed();
  }
}

TEST(losses, unread_is_what_a_protected_group_had_not_read) {
  scratch_store store;
  const stream_id log = store.make_log({0, {}, 100, overflow::drop_oldest, {"bridge", "audit"}});
  store.append_many(log, 100, 10);
  store.commit_offset(log, "bridge", 90);
  store.commit();
  store.append_many(log, 10, 10);
  store.commit();
  EXPECT_EQ(store.view(log).drops.unread, 10u);  // "audit" has read nothing
  store.commit_offset(log, "audit", 15);
  store.commit();
  store.append_many(log, 10, 10);
  store.commit();
  EXPECT_EQ(store.view(log).drops.records, 20u);
  EXPECT_EQ(store.view(log).drops.unread, 15u);
  store.reopen_closed();
  EXPECT_EQ(store.view(log).drops.unread, 15u);
}

TEST(losses, a_log_that_rejects_lets_go_of_what_everybody_has_read) {
  scratch_store store({32 << 20, 128 * 1024});
  const stream_id log = store.make_log({1 << 20, {}, 0, overflow::reject, {"bridge"}});
  for (int i = 0; i < 9; ++i) {
    store.append_many(log, 100, 1'000);
    store.commit();
  }
  EXPECT_EQ(store.view(log).log_start, 0u);
  store.commit_offset(log, "bridge", 500);
  store.commit();
  const offset_t start = store.view(log).log_start;
  EXPECT_GT(start, 0u);
  EXPECT_LE(start, 500u);
  EXPECT_LE(store.view(log).bytes, (1u << 20) / 4 * 3);
  EXPECT_EQ(store.view(log).drops.unread, 0u);
  store.reopen_killed();
  EXPECT_EQ(store.view(log).log_start, start);
}

// Fills logs that are each within their bounds until the store is short of room.
void fill(scratch_store& store, const std::vector<stream_id>& logs, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    for (const stream_id log : logs) store.append_many(log, 20, 1'000);
    ASSERT_TRUE(store.commit().appends_stored);
    ASSERT_LT(store->pages().used_share(), refuse_above);
  }
}

TEST(losses, logs_give_way_before_the_store_is_full) {
  scratch_store store({16 << 20, 256 * 1024});
  const stream_id safe = store.make_log({0, {}, 0, overflow::drop_oldest, {"bridge"}});
  const stream_id rejecting = store.make_log({0, {}, 0, overflow::reject, {}});
  const stream_id first = store.make_log(), second = store.make_log();
  store.append_many(safe, 1'000, 1'000);
  store.append_many(rejecting, 1'000, 1'000);
  store.commit();
  fill(store, {first, second}, 800);
  EXPECT_FALSE(store->is_full());
  EXPECT_EQ(store.view(safe).log_start, 0u);
  EXPECT_EQ(store.view(rejecting).log_start, 0u);
  const auto bytes = [&](stream_id log) { return static_cast<double>(store.view(log).bytes); };
  EXPECT_NEAR(bytes(first), bytes(second), 300'000.0);
  for (const auto& [number, row] : losses_of(store)) EXPECT_EQ(row.reason, loss_reason::store_room);
  // If no other log can give way, unread records of a protected group are dropped too.
  store.drop(first);
  store.drop(second);
  store.commit_until_idle();
  fill(store, {safe}, 800);
  EXPECT_GT(store.view(safe).log_start, 0u);
  EXPECT_GT(store.view(safe).drops.unread, 0u);
  EXPECT_EQ(store.view(rejecting).log_start, 0u);
}

// A drop that a full journal's checkpoints cause can extend a row that the same commit moves into the table. The row is
// reported as changed all the same.
TEST(losses, a_row_that_grows_late_is_told_though_the_table_has_it) {
  const scratch_directory folder;
  lmdb::env env(folder.path(), 1 << 20);
  const tables tables = open_tables(env);
  lmdb::txn txn(env, lmdb::access::write);
  class losses all;
  loss_record record{loss_reason::retention_bytes, stream_id{1}, {}, 0, 10, 10};
  all.note(record, milliseconds(0), 1);
  EXPECT_EQ(all.take_changed().size(), 1u);
  record.first = 10, record.end = 15, record.records = 5;
  all.note(record, milliseconds(0), 2);
  all.put(txn, tables.loss, 2, 100);
  const auto told = all.take_changed();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told.begin()->second.records, 15u);
}

// Reads pages of rows while some are only in the journal and others in the table, with checkpoints in between.
TEST(losses, pages_go_through_the_whole_ledger) {
  scratch_store store({16 << 20, 128 * 1024});
  constexpr loss_number rows_made = 3'000;
  const auto walk = [&](std::size_t rows_max) {
    loss_number last = 0;
    for (auto page = store->read().losses(0, rows_max).value(); !page.empty();
         page = store->read().losses(last, rows_max).value()) {
      EXPECT_LE(page.size(), rows_max);
      for (const auto& [number, row] : page) {
        EXPECT_EQ(number, ++last);
        EXPECT_EQ(row.first, 10 * number);
      }
    }
    return last;
  };
  for (loss_number row = 1; row <= rows_made; ++row) {
    store.open_group().lose({loss_reason::device, stream_id{}, "hall", 10 * row, 10 * row + 1, 1});
    if (row % 20 == 0) store.commit();
    if (row % 200 != 0) continue;
    ASSERT_EQ(walk(150), row);
  }
  EXPECT_EQ(walk(1), rows_made);
  store.reopen_killed();
  EXPECT_EQ(walk(700), rows_made);
  store.reopen_closed();
  EXPECT_EQ(walk(700), rows_made);
  EXPECT_THAT(store->read().losses(rows_made, 1).value(), IsEmpty());
  EXPECT_THAT(store->read().losses(std::numeric_limits<loss_number>::max(), 1).value(), IsEmpty());
}

}  // namespace
}  // namespace tidegate::store
