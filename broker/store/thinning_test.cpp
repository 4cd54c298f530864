// Thins a queue's chunks when most messages are acknowledged, and distinguishes missing messages from thinned ones.
#include "broker/store/thinning.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::uint64_t used_bytes(scratch_store& store) {
  store.reopen_closed();
  return store->pages().used_pages * store->pages().page_bytes;
}

// Returns the ranges that a scan with a damage callback reports as missing.
std::vector<offset_range> told_missing(scratch_store& store, stream_id id) {
  std::vector<offset_range> missing;
  const auto scanned = store->read().scan(
      id, 0, [](const batch_view&) { return true; }, [&](offset_range range) { missing.push_back(range); });
  EXPECT_TRUE(scanned);
  return missing;
}

std::vector<chunk_header> headers_of(scratch_store& store, stream_id id) {
  std::vector<chunk_header> headers;
  store.kill();
  for (const auto& [key, value] : raw_file(store.path()).rows(&tables::chunk)) {
    if (place_of_chunk_key(key).stream != id || piece_of_chunk_key(key) != 0) continue;
    headers.push_back(read_chunk_header(place_of_chunk_key(key), value).value());
  }
  store.open();
  return headers;
}

class thin_queue : public testing::TestWithParam<bool> {
 protected:
  void fill(offset_t count) {
    for (offset_t offset = 0; offset < count; ++offset) {
      store_.append(queue_, std::string(100, 'x'));
      if (offset % 1'000 == 999) store_.commit();
    }
    store_.commit_until_idle();
  }
  // Acknowledges all messages but every hundredth, in order or in random order, as the parameter says.
  void acknowledge_most(offset_t count) {
    std::vector<offset_t> all;
    for (offset_t offset = 0; offset < count; ++offset) {
      if (offset % 100 != 0) all.push_back(offset);
    }
    if (GetParam()) std::shuffle(all.begin(), all.end(), std::mt19937(5));
    std::size_t done = 0;
    for (const offset_t offset : all) {
      store_.ack(queue_, offset);
      if (++done % 1'000 == 0) store_.commit();
    }
    store_.commit_until_idle();
  }

  scratch_store store_{{256 << 20, 4 << 20}};
  stream_id queue_ = store_.make_queue();
};

TEST_P(thin_queue, takes_no_more_than_twice_what_is_left) {
  const auto count = rounds<offset_t>(300'000, 1'000'000);
  store_.commit();
  const std::uint64_t empty = used_bytes(store_);
  fill(count);
  const std::uint64_t full = used_bytes(store_) - empty;
  EXPECT_GT(full, count * 100);
  acknowledge_most(count);
  constexpr std::uint64_t record_bytes = 100 + 25;  // its key, times, lengths
  EXPECT_LE(used_bytes(store_) - empty, 2 * count / 100 * record_bytes);
  const auto found = store_.bodies(queue_);
  ASSERT_EQ(found.size(), count / 100);
  for (const auto& [offset, body] : found) ASSERT_EQ(offset % 100, 0u);
  EXPECT_THAT(told_missing(store_, queue_), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(in_order_and_in_any, thin_queue, testing::Bool());

// Commits each record in a batch of its own, so that the test decides where chunks end.
class thinned : public testing::Test {
 protected:
  void append(int count, std::size_t bytes = 5'000) {
    for (int i = 0; i < count; ++i) {
      store_.append(queue_, std::string(bytes, static_cast<char>('a' + i % 26)));
      store_.commit();
    }
  }
  // Moves everything into the tables.
  void settle() {
    store_.commit_until_idle();
    store_.reopen_closed();
  }

  scratch_store store_{{16 << 20, 4 << 20}};
  stream_id queue_ = store_.make_queue();
};

TEST_F(thinned, a_dead_chunk_leaves_its_head_and_neighbours_share_one) {
  append(30);
  settle();
  ASSERT_EQ(headers_of(store_, queue_).size(), 10u);  // of three records each
  store_.ack(queue_, {6, 12});
  store_.ack(queue_, {21, 24});
  settle();
  const auto headers = headers_of(store_, queue_);
  ASSERT_EQ(headers.size(), 9u);
  EXPECT_EQ(headers[2].covered_from, 6u);
  EXPECT_EQ(headers[2].place.last_offset, 11u);
  EXPECT_EQ(headers[5].covered_from, 18u);
  EXPECT_EQ(headers[6].covered_from, 21u);
  EXPECT_EQ(headers[6].newest_timestamp_ms, no_time);
  EXPECT_TRUE(headers[6].is_repacked);
  store_.ack(queue_, {12, 15});
  settle();
  EXPECT_EQ(headers_of(store_, queue_)[2].place.last_offset, 14u);
  EXPECT_EQ(store_.bodies(queue_).size(), 30u - 12);
  EXPECT_THAT(told_missing(store_, queue_), IsEmpty());
}

TEST_F(thinned, what_is_dead_before_it_comes_into_a_chunk_is_covered_by_the_next) {
  append(3);
  settle();
  append(3);
  store_.ack(queue_, {3, 6});
  settle();
  append(3);
  settle();
  const auto headers = headers_of(store_, queue_);
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers[1].covered_from, 3u);
  EXPECT_EQ(headers[1].place.last_offset, 8u);
  EXPECT_THAT(told_missing(store_, queue_), IsEmpty());
}

TEST_F(thinned, a_row_that_is_missing_is_told_to_the_offset) {
  append(30);
  settle();
  store_.ack(queue_, {13, 14});
  settle();
  store_.kill();
  raw_file(store_.path()).erase(&tables::chunk, chunk_key(queue_, 14));
  store_.open();
  EXPECT_THAT(told_missing(store_, queue_), ElementsAre(offset_range{12, 15}));
  store_.kill();
  raw_file(store_.path()).erase(&tables::chunk, chunk_key(queue_, 29));
  store_.open();
  EXPECT_THAT(told_missing(store_, queue_), ElementsAre(offset_range{12, 15}, offset_range{27, 30}));
}

// Replacing chunks in the middle does not move the head: chunks before them are still freed when all their messages are
// acknowledged.
TEST_F(thinned, behind_the_head_chunks_before_are_still_freed) {
  append(400);
  store_.commit_until_idle();
  store_.ack(queue_, {60, 390});
  store_.commit_until_idle();
  store_.ack(queue_, {0, 30});
  store_.commit_until_idle();
  ASSERT_EQ(store_.view(queue_).log_start, 30u);
  const auto headers = headers_of(store_, queue_);
  EXPECT_LT(headers.size(), 40u);  // of 134: it was thinned
  EXPECT_GE(headers.front().place.last_offset, 30u);
}

// One message stays unsettled, while a million messages after it are published and acknowledged.
TEST(thin_rows, of_what_is_acknowledged_side_by_side_there_is_one) {
  scratch_store store({16 << 20, 1 << 20});
  const stream_id queue = store.make_queue();
  std::mt19937 random(7);
  std::size_t most = 0;
  for (int round = 0; round < 200; ++round) {
    const offset_t begin = store.next(queue);
    for (int i = 0; i < 1'000; ++i) store.append(queue, "x");
    store.commit();
    std::vector<offset_t> order(1'000);
    std::iota(order.begin(), order.end(), begin);
    std::shuffle(order.begin(), order.end(), random);
    for (const offset_t offset : order) {
      if (offset != 0) store.ack(queue, offset);
    }
    store.commit_until_idle();
    if (round % 20 != 0) continue;
    store.reopen_closed();
    EXPECT_EQ(store.bodies(queue).size(), 1u) << round;
    store.close();
    std::size_t rows = 0;
    for (const auto& [key, value] : raw_file(store.path()).rows(&tables::state)) rows += key.front() == state_block;
    most = std::max(most, rows);
    store.open();
  }
  EXPECT_LE(most, 3u);
  store.ack(queue, 0);
  store.commit_until_idle();
  EXPECT_EQ(store.view(queue).log_start, store.next(queue));
}

// Acknowledges at random and reopens the store often. The messages left are there, and none is reported missing.
TEST_F(thinned, by_the_dice) {
  std::mt19937 random(11);
  std::set<offset_t> held;
  for (int round = 0; round < 600; ++round) {
    for (std::size_t left = random() % 12; left > 0; --left) {
      const std::size_t bytes = random() % 20 == 0 ? 30'000 : random() % 900;
      held.insert(store_.append(queue_, std::string(bytes, 'x')));
    }
    for (std::size_t left = random() % 14; left > 0 && !held.empty(); --left) {
      auto settled = held.lower_bound(random() % (store_.next(queue_) + 1));
      if (settled == held.end()) settled = held.begin();
      if (*settled >= store_.next(queue_)) continue;
      store_.ack(queue_, *settled);
      held.erase(settled);
    }
    store_.commit();
    if (random() % 30 == 0) store_.reopen_closed();
    if (random() % 30 == 0) store_.reopen_killed();
    if (round % 10 != 0) continue;
    const auto found = store_.bodies(queue_);
    for (const offset_t offset : held) ASSERT_TRUE(found.contains(offset)) << offset;
    ASSERT_THAT(told_missing(store_, queue_), IsEmpty()) << round;
  }
  for (const offset_t offset : held) store_.ack(queue_, offset);
  settle();
  EXPECT_THAT(headers_of(store_, queue_), IsEmpty());
}

class repacked_log : public testing::Test {
 protected:
  repacked_log() {
    for (int i = 0; i < 300; ++i) store_.append(log_, std::to_string(i) + std::string(500, 'x'), 1'000 + i);
    store_.commit_until_idle();
    store_.reopen_closed();
  }
  // Repacks the chunks that hold these offsets, and keeps every tenth record.
  void compact(offset_range within) {
    offset_range covered = *store_->read().chunk_at(log_, within.begin);
    while (covered.end < within.end) covered.end = store_->read().chunk_at(log_, covered.end)->end;
    batch_builder kept;
    const auto scanned = store_->read().scan(log_, covered.begin, [&](const batch_view& batch) {
      record_reader records(batch);
      raw_record record;
      while (records.next(record)) {
        if (record.offset < covered.end && record.offset % 10 == 0) kept.add(record);
      }
      return batch.last_offset + 1 < covered.end;
    });
    ASSERT_TRUE(scanned);
    chunk_repack repack{log_, covered, {}};
    if (!kept.empty()) repack.batches.push_back(kept.finish());
    store_.open_group().repack(std::move(repack));
  }

  scratch_store store_{{16 << 20, 1 << 20}};
  stream_id log_ = store_.make_log();
};

TEST_F(repacked_log, lacks_what_was_left_out_and_nothing_is_told_missing) {
  const std::uint64_t before = store_.view(log_).bytes;
  compact({0, 200});
  store_.commit();
  for (int round = 0; round < 2; ++round) {
    const auto found = store_.bodies(log_);
    for (offset_t offset = 0; offset < 200; ++offset) ASSERT_EQ(found.contains(offset), offset % 10 == 0) << offset;
    for (const auto& [offset, body] : found) ASSERT_TRUE(body.starts_with(std::to_string(offset)));
    EXPECT_EQ(found.rbegin()->first, 299u);
    EXPECT_THAT(told_missing(store_, log_), IsEmpty());
    EXPECT_LT(store_.view(log_).bytes, before / 2);
    store_.reopen_killed();
  }
}

TEST_F(repacked_log, in_the_middle_drops_no_more_at_its_bound_than_before) {
  const offset_range head = *store_->read().chunk_at(log_, 0);
  compact({head.end + 50, 250});
  store_.commit();
  stream_limits limits;
  limits.bytes_max = store_.view(log_).bytes - 1'000;
  store_.open_group().change_stream({stream_change::what::limit, log_, stream_kind::log, limits});
  store_.append(log_, "x");
  store_.commit_until_idle();
  EXPECT_EQ(store_.view(log_).log_start, head.end);
}

TEST_F(repacked_log, a_row_that_is_missing_is_told_by_its_coverage) {
  compact({0, 200});
  store_.commit();
  const auto headers = headers_of(store_, log_);
  store_.close();
  raw_file(store_.path()).erase(&tables::chunk, chunk_key(log_, headers[0].place.last_offset));
  store_.open();
  EXPECT_THAT(told_missing(store_, log_), ElementsAre(offset_range{0, headers[0].place.last_offset + 1}));
}

TEST_F(repacked_log, what_is_not_there_any_more_is_not_repacked) {
  const offset_range covered = *store_->read().chunk_at(log_, 0);
  for (const offset_range other : {offset_range{1, covered.end}, {0, covered.end - 1}, {0, 10'000}, {400, 500}}) {
    store_.open_group().repack({log_, other, {}});
  }
  store_.open_group().repack({stream_id{99}, covered, {}});
  store_.commit();
  EXPECT_EQ(store_.bodies(log_).size(), 300u);
  compact(covered);
  compact(covered);
  store_.commit();
  EXPECT_THAT(told_missing(store_, log_), IsEmpty());
}

// A chunk without batches counts no bytes, but it is a row that has to be erased.
TEST_F(repacked_log, of_which_nothing_is_left_goes_with_its_stream) {
  for (offset_t at = 0; at < 300;) {
    const offset_range covered = *store_->read().chunk_at(log_, at);
    store_.open_group().repack({log_, covered, {}});
    at = covered.end;
  }
  store_.commit();
  store_.drop(log_);
  store_.commit_until_idle();
  EXPECT_THAT(headers_of(store_, log_), IsEmpty());
}

TEST_F(repacked_log, of_which_nothing_is_left_still_covers) {
  const offset_range covered = *store_->read().chunk_at(log_, 0);
  store_.open_group().repack({log_, covered, {}});
  store_.commit();
  store_.reopen_killed();
  EXPECT_EQ(store_.bodies(log_).begin()->first, covered.end);
  EXPECT_THAT(told_missing(store_, log_), IsEmpty());
  EXPECT_EQ(store_->read().find_time(log_, 0).value(), covered.end);
}

}  // namespace
}  // namespace tidegate::store
