// One stream in memory: its records, its acknowledgements and retention, and the memory that it counts.
#include "broker/store/memory_stream.hpp"

#include <gmock/gmock.h>
#include <malloc.h>

#include <random>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kib = 1024;

class memory_stream_test : public testing::Test {
 protected:
  void make(stream_kind kind, stream_limits limits = {}, offset_t begin = 0) {
    stream_ = std::make_unique<memory_stream>(kind, limits, begin, drop_totals{});
    next_ = begin;
  }
  void make_log(std::uint64_t bytes_max, overflow overflow = overflow::drop_oldest,
                std::vector<std::string> protect = {}) {
    make(stream_kind::log, {bytes_max, milliseconds(0), 0, overflow, std::move(protect)});
  }
  memory_stream& stream() { return *stream_; }
  const stream_view& view() { return stream_->view(); }

  void add(stream_share& share, std::string_view body, std::int64_t timestamp_ms = 0) {
    message_view message;
    message.body = body;
    share.open.add(next_++, timestamp_ms, message);
  }
  // Appends each record in a share of its own.
  void append(int count, std::size_t body_bytes = 100, milliseconds lifetime = milliseconds(0)) {
    for (int i = 0; i < count; ++i) {
      stream_share share;
      add(share, std::string(body_bytes, 'b'));
      stream_->take(share, lifetime);
    }
  }
  void append_batch(int count, std::size_t body_bytes = 100) {
    stream_share share;
    for (int i = 0; i < count; ++i) add(share, std::string(body_bytes, 'b'));
    stream_->take(share, milliseconds(0));
  }
  void ack(offset_range range) {
    stream_share share;
    share.acked.push_back(range);
    stream_->take(share, milliseconds(0));
  }
  // Returns the offsets that a scan from `from` finds. Batches are whole, so some may be acknowledged or lie before it.
  std::vector<offset_t> offsets(offset_t from = 0) {
    std::vector<offset_t> found;
    stream_->scan(from, [&](const batch_view& batch) {
      EXPECT_TRUE(crc_matches(batch));
      record_reader records(batch);
      for (raw_record record; records.next(record);) {
        EXPECT_TRUE(found.empty() || record.offset > found.back());
        found.push_back(record.offset);
      }
      return true;
    });
    return found;
  }

  std::unique_ptr<memory_stream> stream_;
  offset_t next_ = 0;
};

TEST_F(memory_stream_test, begins_where_it_is_told_and_gives_what_it_took) {
  make(stream_kind::queue, {}, 1'000);
  EXPECT_EQ(view().end, 1'000u);
  append(3);
  EXPECT_THAT(offsets(), ElementsAre(1'000, 1'001, 1'002));
  EXPECT_THAT(offsets(1'002), ElementsAre(1'002));
  EXPECT_THAT(offsets(1'003), IsEmpty());
  int given = 0;
  stream().scan(0, [&](const batch_view&) { return ++given < 2; });
  EXPECT_EQ(given, 2);
}

TEST_F(memory_stream_test, what_is_acknowledged_makes_room) {
  make(stream_kind::queue);
  append(1'000);
  for (offset_t offset = 0; offset < 1'000; ++offset) ack({offset, offset + 1});
  EXPECT_EQ(view().bytes, 0u);
  EXPECT_EQ(view().log_start, 1'000u);
  EXPECT_THAT(offsets(), IsEmpty());
}

TEST_F(memory_stream_test, a_message_that_stays_does_not_keep_its_neighbours) {
  make(stream_kind::queue);
  for (int i = 0; i < 100; ++i) append_batch(100);
  const std::uint64_t full = view().bytes;
  for (offset_t stuck = 50; stuck < 10'000; stuck += 100) ack({stuck - 50, stuck}), ack({stuck + 1, stuck + 50});
  EXPECT_EQ(view().log_start, 50u);
  EXPECT_EQ(offsets().size(), 100u);
  EXPECT_LT(view().bytes, full / 20);
}

TEST_F(memory_stream_test, acknowledging_here_and_there_takes_no_room) {
  make(stream_kind::queue);
  for (int i = 0; i < 20; ++i) append_batch(300, 10);
  const std::uint64_t full = view().bytes;
  for (offset_t offset = 1; offset < view().end; offset += 2) {
    ack({offset, offset + 1});
    ASSERT_LT(view().bytes, full + full / 50) << offset;
  }
  EXPECT_EQ(view().log_start, 0u);
  EXPECT_LT(view().bytes, full * 6 / 10);
  for (offset_t offset = 0; offset < view().end; offset += 2) ack({offset, offset + 1});
  EXPECT_EQ(view().bytes, 0u);
}

TEST_F(memory_stream_test, what_is_acknowledged_twice_counts_once) {
  make(stream_kind::queue);
  append_batch(10);
  for (int i = 0; i < 20; ++i) ack({3, 5});
  EXPECT_EQ(offsets().size(), 10u);
  ack({0, 4});
  EXPECT_EQ(view().log_start, 5u);
  EXPECT_EQ(offsets(), (std::vector<offset_t>{5, 6, 7, 8, 9}));
}

TEST_F(memory_stream_test, single_messages_are_packed_and_the_newest_are_not) {
  make(stream_kind::log);
  append(10'000);
  const std::uint64_t packed = view().bytes;
  EXPECT_EQ(offsets().size(), 10'000u);
  EXPECT_EQ(offsets(9'999).size(), 1u);
  make(stream_kind::log);
  append_batch(10'000);
  EXPECT_LT(packed, view().bytes * 11 / 10 + 128 * kib);
}

TEST_F(memory_stream_test, its_bytes_are_never_above_its_bound) {
  make_log(200 * kib);
  for (int i = 0; i < 5'000; ++i) {
    append(1, 50 + i % 900);
    ASSERT_LE(view().bytes, 200 * kib);
  }
  const auto held = offsets();
  EXPECT_EQ(held.front(), view().log_start);
  EXPECT_EQ(held.size(), view().end - view().log_start);
  EXPECT_EQ(view().drops.records, view().log_start);
  EXPECT_EQ(view().drops.unread, view().log_start);
}

TEST_F(memory_stream_test, the_bound_in_records_is_exact) {
  make(stream_kind::log, {0, milliseconds(0), 70});
  for (int i = 0; i < 30; ++i) {
    append_batch(9);
    ASSERT_LE(view().end - view().log_start, 70u);
  }
  EXPECT_EQ(view().log_start, 200u);
  EXPECT_EQ(view().drops.records, 200u);
}

TEST_F(memory_stream_test, age_goes_by_the_lifetime) {
  make(stream_kind::log, {0, milliseconds(3'200), 0});
  for (int second = 0; second < 10; ++second) append(1, 100, milliseconds(1'000 * second));
  stream().expire(milliseconds(9'000));
  EXPECT_EQ(view().log_start, 5u);
  stream().expire(milliseconds(60'000));
  EXPECT_EQ(view().log_start, 9u);  // the last record gets its age mark only with this call
  stream().expire(milliseconds(63'200));
  EXPECT_EQ(view().log_start, 10u);
  EXPECT_EQ(view().bytes, 0u);
}

TEST_F(memory_stream_test, a_lowered_bound_is_kept_when_it_expires) {
  make_log(1'024 * kib);
  append(1'000);
  stream().set_limits({20 * kib});
  stream().expire(milliseconds(0));
  EXPECT_LE(view().bytes, 20 * kib);
  EXPECT_GT(view().bytes, 0u);
}

TEST_F(memory_stream_test, one_that_rejects_drops_what_is_read_and_nothing_else) {
  make_log(100 * kib, overflow::reject, {"bridge"});
  append(500, 400);
  EXPECT_EQ(view().log_start, 0u);
  stream().set_cursor("somebody", 400);
  EXPECT_EQ(view().log_start, 0u);
  stream().set_cursor("bridge", 400);
  EXPECT_GT(view().log_start, 100u);
  EXPECT_LE(view().log_start, 400u);
  EXPECT_EQ(view().drops.records, view().log_start);
  EXPECT_EQ(view().drops.unread, 0u);
}

TEST_F(memory_stream_test, gives_way_as_its_limits_say) {
  make(stream_kind::queue);
  append(10);
  EXPECT_FALSE(stream().gives_way(true));
  EXPECT_EQ(stream().gives_way_bytes(), 0u);
  make_log(100 * kib, overflow::reject);
  append(10);
  EXPECT_FALSE(stream().gives_way(true));
  EXPECT_EQ(stream().gives_way_bytes(), 0u);
  make_log(100 * kib, overflow::drop_oldest, {"bridge"});
  append(10);
  EXPECT_FALSE(stream().gives_way(false));
  EXPECT_TRUE(stream().gives_way(true));
  stream().set_cursor("bridge", 2);
  EXPECT_TRUE(stream().gives_way(false));
  stream().give_way();
  EXPECT_EQ(view().drops.unread, 0u);
  stream().give_way();
  EXPECT_FALSE(stream().gives_way(false));
  stream().give_way();
  EXPECT_EQ(view().drops.records, 3u);
  EXPECT_EQ(view().drops.unread, 1u);
}

TEST_F(memory_stream_test, a_producers_batch_stays_as_it_is) {
  make(stream_kind::log);
  for (int i = 0; i < 200; ++i) {
    stream_share share;
    share.batches.push_back(scratch_store::opaque_batch(next_, 7, std::string(500, 'z'), i));
    next_ += 7;
    stream().take(share, milliseconds(0));
  }
  int given = 0;
  stream().scan(0, [&](const batch_view& batch) {
    EXPECT_TRUE(crc_matches(batch));
    EXPECT_EQ(batch.base_offset, 7u * given++);
    EXPECT_EQ(batch.records, std::string(500, 'z'));
    return true;
  });
  EXPECT_EQ(given, 200);
}

// Random operations against a model: what is neither acknowledged nor trimmed is there, unchanged, and the memory count
// is right.
TEST_F(memory_stream_test, a_long_life_of_a_queue) {
  std::mt19937 random(7);
  const auto any = [&](std::size_t below) { return random() % below; };
  make(stream_kind::queue);
  std::map<offset_t, std::string> model;
  for (int step = 0; step < 3'000; ++step) {
    stream_share share;
    for (std::size_t left = any(4) * any(30); left > 0; --left) {
      const std::string body(any(10) == 0 ? any(20'000) : any(300), static_cast<char>('a' + any(26)));
      model[next_] = body;
      add(share, body);
      if (share.open.size() > 16 * kib) share.batches.push_back(share.open.finish());
    }
    const std::size_t keep = any(20) + 2;
    for (auto at = model.begin(); at != model.end() && at->first < view().end;) {
      if (any(keep) < 2 || any(4) == 0) {
        ++at;
        continue;
      }
      share.acked.push_back({at->first, at->first + 1});
      at = model.erase(at);
    }
    if (any(200) == 0) {
      share.trim_to = view().log_start + any(next_ - view().log_start + 1);
      model.erase(model.begin(), model.lower_bound(*share.trim_to));
    }
    stream().take(share, milliseconds(0));
    if (step % 20 != 0) continue;
    std::map<offset_t, std::string> found;
    std::uint64_t bytes = 0;
    stream().scan(0, [&](const batch_view& batch) {
      bytes += batch.bytes.size();
      record_reader records(batch);
      for (record_view record; records.next(record);) found[record.offset] = record.body;
      return true;
    });
    for (const auto& [offset, body] : model) ASSERT_EQ(found[offset], body) << offset;
    ASSERT_LE(view().log_start, model.empty() ? next_ : model.begin()->first);
    ASSERT_EQ(view().log_start == next_, model.empty());
    ASSERT_GE(view().bytes, bytes);
    ASSERT_LE(found.size(), 2 * model.size() + 300);
  }
}

// Compares the bytes counted with what malloc was asked for. The kernel counts more, since pages are larger.
TEST_F(memory_stream_test, its_bytes_are_what_malloc_gave) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "malloc is the sanitizer's";
#endif
  for (const std::size_t body_bytes : {10u, 100u, 1'000u, 100'000u}) {
    make(stream_kind::queue);
    const auto before = ::mallinfo2();
    append(static_cast<int>(4'000'000 / (body_bytes + 300)), body_bytes);
    for (offset_t offset = 1; offset < view().end; offset += 3) ack({offset, offset + 1});
    const auto after = ::mallinfo2();
    const double taken = static_cast<double>(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd);
    EXPECT_NEAR(static_cast<double>(view().bytes) / taken, 1.0, 0.1) << body_bytes;
  }
}

}  // namespace
}  // namespace tidegate::store
