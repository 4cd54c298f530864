// Streams in memory beside those on flash: records that ride on a commit, rows in the file, and the bound on them all.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "broker/base/log.hpp"
#include "broker/store/new_file.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr offset_t block = offsets_per_reservation;

class memory_streams_test : public testing::Test {
 protected:
  memory_streams_test() {
    log::set_level(log::level::warning);
    queue_ = make_in_memory(stream_kind::queue);
    store_.commit();
  }
  stream_id make_in_memory(stream_kind kind, stream_limits limits = {}) { return store_.make(kind, limits, true); }
  stream_id make_log(overflow overflow = overflow::drop_oldest, std::vector<std::string> protect = {}) {
    return make_in_memory(stream_kind::log, {1 << 30, milliseconds(0), 0, overflow, std::move(protect)});
  }
  const stream_view& view(stream_id id) { return store_.view(id); }

  // Appends to the commit group that core would use. False = no room.
  bool append(stream_id id, std::string_view body, bool rides = false) {
    const offset_t offset = next(id);
    commit_group& into =
        !rides && store_->in_memory().is_free(id, offset + 1) ? store_->memory_group() : store_->riding_group();
    message_view message;
    message.body = body;
    if (!store_->in_memory().promise(into, record_size_bound(message), 1)) return false;
    into.append(id, offset, 0, message);
    ++next_[id];
    return true;
  }
  void apply() { store_->apply_memory(); }
  void append_now(stream_id id, int count, std::size_t body_bytes = 100) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(append(id, std::string(body_bytes, 'b')));
    apply();
  }
  // Appends a producer's batch of `count` records.
  void append_counted(stream_id id, std::uint32_t count) {
    const offset_t offset = next(id);
    commit_group& into =
        store_->in_memory().is_free(id, offset + count) ? store_->memory_group() : store_->riding_group();
    into.append_batch(id, scratch_store::opaque_batch(offset, count, "zzz", 0));
    next_[id] += count;
  }
  offset_t next(stream_id id) {
    return next_.try_emplace(id, store_->read().find(id) == nullptr ? 0 : view(id).end).first->second;
  }
  void reopen_killed() {
    store_.reopen_killed();
    next_.clear();
  }
  void reopen_closed() {
    store_.reopen_closed();
    next_.clear();
  }
  std::string file() {
    std::ifstream in(store_.path() / store_file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  scratch_store store_;
  stream_id queue_{};
  std::map<stream_id, offset_t> next_;
};

TEST_F(memory_streams_test, what_they_are_given_is_never_written) {
  const std::string before = file();
  for (int i = 0; i < 10'000; ++i) {
    append_now(queue_, 1);
    if (i % 3 == 0) continue;
    store_->memory_group().ack(queue_, static_cast<offset_t>(i));
  }
  apply();
  EXPECT_FALSE(store_->has_work_for_writer());
  EXPECT_EQ(view(queue_).end, 10'000u);
  EXPECT_TRUE(file() == before);
}

TEST_F(memory_streams_test, a_clean_stop_keeps_the_end_and_nothing_else) {
  append_now(queue_, 5);
  reopen_closed();
  EXPECT_EQ(view(queue_).log_start, 5u);
  EXPECT_EQ(view(queue_).end, 5u);
  EXPECT_THAT(store_.bodies(queue_), IsEmpty());
  // No offset after the end is reserved yet, so the next message has to wait for a commit.
  EXPECT_TRUE(append(queue_, "first"));
  apply();
  EXPECT_EQ(view(queue_).end, 5u);
  ASSERT_TRUE(store_->has_work_for_writer());
  store_.commit();
  EXPECT_EQ(store_.bodies(queue_).at(5), "first");
  append_now(queue_, 1);
  EXPECT_EQ(view(queue_).end, 7u);
  EXPECT_FALSE(store_->has_work_for_writer());
}

TEST_F(memory_streams_test, after_a_kill_no_offset_is_used_again) {
  for (int life = 1; life < 4; ++life) {
    append_now(queue_, 5);
    store_->has_work_for_writer();
    store_.commit();
    const offset_t end = view(queue_).end;
    reopen_killed();
    EXPECT_GE(view(queue_).end, end);
    EXPECT_LE(view(queue_).end, end + block);
    EXPECT_EQ(view(queue_).log_start, view(queue_).end);
    EXPECT_EQ(store_->found_books().streams.at(queue_).maybe_delivered_before, 0u);
  }
}

TEST_F(memory_streams_test, the_next_block_is_reserved_in_good_time) {
  const stream_id log = make_log();
  store_.commit();
  append_counted(log, block / 2);
  apply();
  EXPECT_EQ(view(log).end, block / 2);
  EXPECT_FALSE(store_->has_work_for_writer());
  append_counted(log, 1);
  apply();
  EXPECT_EQ(view(log).end, block / 2 + 1);
  EXPECT_TRUE(store_->has_work_for_writer());
  store_->has_work_for_writer();
  EXPECT_THAT(store_.open_group().contents().stream_changes, SizeIs(1));
  store_.commit();
  append_counted(log, block);  // extends past the first reserved block; the next one is reserved already
  apply();
  const offset_t end = view(log).end;
  EXPECT_EQ(end, block / 2 + 1 + block);
  store_.commit();
  reopen_killed();
  EXPECT_GE(view(log).end, end + block / 2);
}

TEST_F(memory_streams_test, what_is_behind_the_reservation_waits_for_the_next) {
  const stream_id log = make_log();
  append_counted(log, 3 * block);  // rides on the commit that creates the log
  EXPECT_EQ(store_->read().find(log), nullptr);
  store_.commit();
  EXPECT_EQ(view(log).end, 3 * block);
  append_counted(log, 5 * block);
  apply();
  EXPECT_EQ(view(log).end, 3 * block);
  EXPECT_TRUE(store_->has_work_for_writer());
  store_.commit();
  EXPECT_EQ(view(log).end, 8 * block);
  reopen_killed();
  EXPECT_EQ(view(log).end, 9 * block);
}

TEST_F(memory_streams_test, what_rides_is_there_with_the_commit_and_in_order) {
  const stream_id durable = store_.make_queue();
  store_.commit();
  append_now(queue_, 1);
  store_.append(durable, "both");
  append(queue_, "both", true);
  EXPECT_FALSE(store_->in_memory().is_free(queue_, 3));
  append(queue_, "behind");
  apply();
  EXPECT_EQ(view(queue_).end, 1u);
  store_.stamp();
  store_->submit();
  append(queue_, "behind what is with the writer");
  apply();
  EXPECT_EQ(view(queue_).end, 1u);
  store_->step();
  const auto result = store_->collect();
  ASSERT_THAT(result->streams, SizeIs(2));
  EXPECT_EQ(result->streams.back().stream, queue_);
  EXPECT_EQ(result->streams.back().end, 3u);
  EXPECT_FALSE(store_->has_work_for_writer());
  EXPECT_EQ(store_->apply_riding().front().end, 4u);
  EXPECT_TRUE(store_->in_memory().is_free(queue_, 5));
  EXPECT_EQ(store_.bodies(queue_).at(2), "behind");
}

TEST_F(memory_streams_test, a_full_map_voids_what_rides_and_its_acknowledgements_hold) {
  const stream_id durable = store_.make_queue();
  store_.commit();
  append_now(queue_, 2);
  const std::uint64_t bytes = store_->in_memory().use().bytes;
  store_->riding_group().ack(queue_, 0);
  for (int i = 0; i < 6; ++i) store_.append(durable, std::string(2'000'000, 'b'));
  append(queue_, std::string(1'000, 'b'), true);
  EXPECT_FALSE(store_.commit().appends_stored);
  EXPECT_EQ(view(queue_).end, 2u);
  EXPECT_EQ(view(queue_).log_start, 1u);
  EXPECT_LT(store_->in_memory().use().bytes, bytes);
  next_.clear();
  // The memory promised to their records is free again.
  while (append(queue_, std::string(100'000, 'b'))) apply();
  EXPECT_GT(store_->in_memory().use().bytes, store_->in_memory().use().bytes_max - 101'000);
}

TEST_F(memory_streams_test, at_the_bound_the_largest_log_gives_way) {
  const stream_id small = make_log(), large = make_log(), protecting = make_log(overflow::drop_oldest, {"bridge"});
  const stream_id rejecting = make_log(overflow::reject);
  store_.commit();
  append_now(small, 300, 1'000);
  append_now(large, 600, 1'000);
  append_now(protecting, 900, 1'000);
  append_now(rejecting, 1'000, 1'000);
  while (view(large).log_start == 0) append_now(queue_, 1, 1'000);
  EXPECT_GT(store_->in_memory().use().bytes, store_->in_memory().use().bytes_max * 9 / 10);
  for (int i = 0; i < 1'000; ++i) {
    append_now(queue_, 1, 1'000);
    ASSERT_LE(store_->in_memory().use().bytes, store_->in_memory().use().bytes_max);
  }
  EXPECT_LT(view(large).bytes, view(small).bytes + 70'000);
  EXPECT_GT(view(small).log_start, 0u);
  while (append(queue_, std::string(1'000, 'b'))) apply();
  EXPECT_LE(view(small).bytes, 2'000u);
  EXPECT_GT(view(protecting).log_start, 0u);
  EXPECT_EQ(view(rejecting).log_start, 0u);
  EXPECT_EQ(store_->in_memory().use().dropped,
            view(small).drops.records + view(large).drops.records + view(protecting).drops.records);
  EXPECT_GT(store_->in_memory().use().bytes, store_->in_memory().use().bytes_max - 3'000);
  // The loss ledger is written to flash, so it has no rows of streams in memory.
  EXPECT_THAT(*store_->read().losses(), IsEmpty());
}

TEST_F(memory_streams_test, what_does_not_help_is_not_dropped) {
  const stream_id log = make_log();
  store_.commit();
  const auto room = [&] { return store_->in_memory().use().bytes_max - store_->in_memory().use().bytes; };
  while (room() > 500'000) append_now(queue_, 1, 100'000);
  append_now(log, 50, 1'000);
  EXPECT_FALSE(append(queue_, std::string(room() + 70'000, 'b')));
  EXPECT_EQ(view(log).log_start, 0u);
  EXPECT_TRUE(append(queue_, std::string(room() + 30'000, 'b')));
  EXPECT_GT(view(log).log_start, 0u);
}

TEST_F(memory_streams_test, a_protected_group_goes_on_with_its_commit) {
  const stream_id log = make_in_memory(stream_kind::log, {100'000, milliseconds(0), 0, overflow::reject, {"bridge"}});
  store_.commit();
  append_now(log, 200, 400);
  store_.commit_offset(log, "bridge", 150);
  EXPECT_EQ(view(log).log_start, 0u);
  store_.commit();
  EXPECT_GT(view(log).log_start, 30u);
  reopen_killed();
  EXPECT_EQ(cursors_in(store_->found()).size(), 1u);
}

TEST_F(memory_streams_test, times_are_looked_up) {
  const stream_id log = make_log();
  store_.commit();
  for (int i = 0; i < 500; ++i) {
    message_view message;
    message.body = "m";
    store_->memory_group().append(log, next_[log]++, 1'000 + 10 * i, message);
    if (i % 7 == 0) apply();
  }
  apply();
  EXPECT_EQ(store_->read().find_time(log, 0).value(), 0u);
  EXPECT_EQ(store_->read().find_time(log, 3'001).value(), 201u);
  EXPECT_EQ(store_->read().find_time(log, 5'990).value(), 499u);
  EXPECT_EQ(store_->read().find_time(log, 5'991).value(), 500u);
}

TEST_F(memory_streams_test, deleting_one_frees_its_memory_and_its_row) {
  append_now(queue_, 100);
  store_.drop(queue_);
  append(queue_, "on its way", true);
  store_.commit();
  EXPECT_EQ(store_->in_memory().use().bytes, 0u);
  EXPECT_EQ(store_->read().find(queue_), nullptr);
  store_.reopen_closed();
  EXPECT_EQ(store_->read().find(queue_), nullptr);
}

TEST_F(memory_streams_test, drops_are_counted_on_after_a_clean_stop) {
  const stream_id log = make_in_memory(stream_kind::log, {0, milliseconds(0), 10});
  store_.commit();
  append_now(log, 30);
  EXPECT_EQ(view(log).drops.records, 20u);
  reopen_closed();
  EXPECT_EQ(view(log).drops.records, 20u);
  EXPECT_EQ(store_->in_memory().use().dropped, 0u);
}

}  // namespace
}  // namespace tidegate::store
