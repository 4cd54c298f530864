// Reads across the border between chunks and journal, while the writer is a commit ahead, and past damage.
#include "broker/store/reader.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "broker/model/compressed_batch.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::HasSubstr;

// Makes a log whose head is in chunks and whose tail is in the journal.
stream_id half_rolled(scratch_store& store) {
  const stream_id log = store.make_log();
  for (int i = 0; i < 300; ++i) {
    store.append(log, fmt::format("{}-{}", i, std::string(static_cast<std::size_t>(i % 7) * 100, 'x')));
    if (i % 3 == 0) store.commit();
  }
  store.commit();
  EXPECT_GT(store.view(log).rolled_end, 100u);
  EXPECT_LT(store.view(log).rolled_end, 300u);
  return log;
}

TEST(reader, starts_anywhere) {
  scratch_store store;
  const stream_id log = half_rolled(store);
  const auto all = store.bodies(log);
  ASSERT_EQ(all.size(), 300u);
  for (offset_t from = 0; from <= 301; ++from) {
    const auto found = store.bodies(log, from);
    ASSERT_EQ(found, (std::map<offset_t, std::string>(all.lower_bound(from), all.end()))) << from;
  }
}

TEST(reader, stops_when_told) {
  scratch_store store;
  const stream_id log = half_rolled(store);
  int batches = 0;
  ASSERT_TRUE(store->read().scan(log, 0, [&](const batch_view&) { return ++batches < 3; }));
  EXPECT_EQ(batches, 3);
}

TEST(reader, an_unknown_stream_is_empty) {
  scratch_store store;
  EXPECT_TRUE(store.bodies(stream_id{77}).empty());
  EXPECT_FALSE(store->read().find_time(stream_id{77}, 0));
}

// The writer rolls up and trims the journal and appends more records, and the reader has not seen the result yet.
TEST(reader, is_right_while_the_writer_is_ahead) {
  for (const std::size_t incoming : {100, 5'000, 60'000}) {
    scratch_store store({16 << 20, 16 * 1024});
    const stream_id log = store.make_log(), other = store.make_log();
    store.commit();
    for (int i = 0; i < 60; ++i) {
      store.append(log, fmt::format("body {}", i));
      if (i % 4 == 0) store.append(other, std::string(2'000, 'o'));
      store.append(log, std::string(incoming, 'n'));
      store->submit();
      store->step();
      const auto known = store.bodies(log);
      ASSERT_EQ(known.size(), store.next(log) - 2) << incoming;
      if (i > 0) {
        ASSERT_EQ(known.at(static_cast<offset_t>(2 * i - 2)), fmt::format("body {}", i - 1));
      }
      ASSERT_TRUE(store->collect());
      ASSERT_EQ(store.bodies(log).size(), store.next(log));
    }
  }
}

TEST(reader, is_right_while_the_writer_trims) {
  scratch_store store({16 << 20, 16 * 1024});
  const stream_id log = half_rolled(store);
  store.open_group().trim(log, 250);
  store->submit();
  store->step();
  const auto found = store.bodies(log);
  EXPECT_EQ(found.rbegin()->first, 299u);
  EXPECT_GE(found.size(), 50u);
  ASSERT_TRUE(store->collect());
  EXPECT_EQ(store.bodies(log).begin()->first, 250u);
}

// The reader finds chunks that are newer than the last result it has seen, and lack messages that are dead meanwhile.
TEST(reader, is_right_while_the_writer_thins_a_queue) {
  scratch_store store({16 << 20, 1 << 20});
  const stream_id queue = store.make_queue();
  for (int i = 0; i < 20; ++i) {
    store.append(queue, std::string(60'000, 'x'));
    store.commit();
  }
  store.append_many(queue, 10, 10);
  store.commit();
  store.ack(queue, {1, 20});
  store.ack(queue, {25, 30});
  store->submit();
  store->step();
  const auto found = store.bodies(queue, 1);
  for (offset_t offset = 20; offset < 25; ++offset) EXPECT_TRUE(found.contains(offset)) << offset;
  ASSERT_TRUE(store->collect());
  store.commit_until_idle();
  EXPECT_LT(store.view(queue).bytes, 70'000u);
  EXPECT_EQ(store.bodies(queue, 1).begin()->first, 20u);
}

offset_t found_by_scan(scratch_store& store, stream_id id, std::int64_t timestamp_ms) {
  std::optional<offset_t> found;
  const auto scanned = store->read().scan(id, 0, [&](const batch_view& batch) {
    record_reader records(batch);
    record_view record;
    while (!found && records.next(record)) {
      if (record.offset >= store.view(id).log_start && record.timestamp_ms >= timestamp_ms) found = record.offset;
    }
    return !found;
  });
  EXPECT_TRUE(scanned);
  return found.value_or(store.view(id).end);
}

TEST(reader, reads_one_record) {
  scratch_store store;
  const stream_id log = half_rolled(store);
  const auto all = store.bodies(log);
  std::string body;
  const auto take = [&](const record_view& record) { body = record.body; };
  for (const offset_t offset : {0, 7, 150, 299}) {
    EXPECT_TRUE(store->read().read_one(log, offset, take).value());
    EXPECT_EQ(body, all.at(offset));
  }
  EXPECT_FALSE(store->read().read_one(log, 300, take).value());
  EXPECT_FALSE(store->read().read_one(stream_id{77}, 0, take).value());
  store.open_group().trim(log, 20);
  store.commit();
  EXPECT_FALSE(store->read().read_one(log, 7, take).value());
}

// A read of one record remembers where it was; what it remembers must not show.
TEST(reader, reads_single_records_in_any_order) {
  scratch_store store;
  const stream_id log = half_rolled(store), other = store.make_log();
  std::mt19937 random(5);
  std::string body;
  const auto take = [&](const record_view& record) { body = record.body; };
  const auto all = store.bodies(log);
  offset_t end = 0;
  for (int step = 0; step < 2'000; ++step) {
    const offset_t from = random() % all.size();
    for (offset_t offset = from; offset < std::min<offset_t>(from + 3, all.size()); ++offset) {
      ASSERT_TRUE(store->read().read_one(log, offset, take).value());
      ASSERT_EQ(body, all.at(offset));
    }
    if (random() % 20 != 0) continue;
    store.append(other, "other");
    store.commit();
    ASSERT_TRUE(store->read().read_one(other, end++, take).value());
    ASSERT_EQ(body, "other");
  }
}

TEST(reader, reads_one_record_of_a_compressed_batch) {
  scratch_store store;
  const stream_id log = store.make_log();
  batch_builder records;
  for (offset_t offset = 0; offset < 10; ++offset) {
    records.add(record_view{offset, 0, {}, offset == 7 ? "seven" : "other", {}});
  }
  store.open_group().append_batch(log, zstd_compressed(records.finish()));
  store.set_next(log, 10);
  store.append_opaque(log, 5, "not lz4");
  store.commit();
  std::string body;
  const auto take = [&](const record_view& record) { body = record.body; };
  EXPECT_TRUE(store->read().read_one(log, 7, take).value());
  EXPECT_EQ(body, "seven");
  EXPECT_FALSE(store->read().read_one(log, 12, take));
}

// A clock was in the future for a while. Records stamped then are found as long as they exist. Later records are found
// in either case.
TEST(reader, find_time_is_exact_around_a_clock_that_was_wrong) {
  scratch_store store({16 << 20, 256 * 1024});
  const stream_id log = store.make_log();
  std::int64_t now = 1'000;
  for (int i = 0; i < 600; ++i) {
    const bool is_wrong = i >= 200 && i < 210;
    store.append(log, std::string(1'000, 'x'), is_wrong ? 5'000'000 + i : ++now);
    if (i % 5 == 0) store.commit();
  }
  store.commit();
  store.reopen_closed();
  for (const offset_t log_start : {0, 100, 205, 300, 590}) {
    store.open_group().trim(log, log_start);
    store.commit();
    if (log_start == 300) store.reopen_killed();
    for (std::int64_t asked = 990; asked < now + 20; asked += 7) {
      ASSERT_EQ(store->read().find_time(log, asked).value(), found_by_scan(store, log, asked))
          << log_start << " " << asked;
    }
    ASSERT_EQ(store->read().find_time(log, 4'000'000).value(), found_by_scan(store, log, 4'000'000)) << log_start;
    ASSERT_EQ(store->read().find_time(log, 6'000'000).value(), 600u);
    for (int i = 0; i < 50; ++i) ASSERT_EQ(store->read().find_time(log, 0).value(), log_start);
  }
}

TEST(newest_times, tell_what_the_newest_is_when_the_oldest_have_gone) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    newest_times times;
    std::map<offset_t, std::int64_t> chunks;
    for (offset_t last = 0; last < 60; ++last) {
      const std::int64_t time = random() % 1'000;
      chunks[last] = time;
      times.add({last, time});
      if (random() % 8 == 0) {
        const offset_t floor = random() % (last + 1);
        chunks.erase(chunks.begin(), chunks.lower_bound(floor));
        times.erase_below(floor);
      }
      ASSERT_LE(times.all().size(), newest_times::times_max);
      std::int64_t newest = 0;
      for (const auto& [offset, known] : chunks) newest = std::max(newest, known);
      ASSERT_GE(times.all().front().timestamp_ms, newest);
    }
  }
  newest_times rising;
  for (offset_t last = 0; last < 10; ++last) rising.add({last, static_cast<std::int64_t>(last) * 10});
  EXPECT_EQ(rising.all(), (std::vector<newest_time>{{9, 90}}));
}

TEST(reader, find_time_is_exact) {
  std::mt19937 random(3);
  for (int round = 0; round < 8; ++round) {
    scratch_store store;
    // A queue has gaps, a log has none.
    const stream_id id = round % 2 == 0 ? store.make_log() : store.make_queue();
    std::int64_t now = 1'000;
    store.commit();
    for (int i = 0; i < 150; ++i) {
      for (std::size_t left = random() % 6; left > 0; --left) {
        now += random() % 3 == 0 ? static_cast<std::int64_t>(random() % 50) : 0;
        store.append(id, std::string(random() % 400, 'x'), now);
      }
      if (round % 2 == 1 && store.view(id).end > 0) {
        const offset_t begin = random() % store.view(id).end;
        store.ack(id, {begin, std::min<offset_t>(begin + random() % 30, store.view(id).end)});
      }
      store.commit();
    }
    if (round % 4 == 2) {
      store.open_group().trim(id, store.next(id) / 3);
      store.commit();
    }
    for (std::int64_t wanted = 990; wanted < now + 10; wanted += 1 + static_cast<std::int64_t>(random() % 15)) {
      const auto found = store->read().find_time(id, wanted);
      ASSERT_TRUE(found);
      ASSERT_EQ(*found, found_by_scan(store, id, wanted)) << round << " " << wanted;
    }
  }
}

// Compares with a plain list: producers' own times in any order, compressed or not, in chunks and in the journal, and
// after a trim.
TEST(reader, find_time_is_exact_whatever_the_order_of_the_times) {
  std::mt19937_64 random(5);
  const auto draw = [&](std::int64_t below) {
    return std::uniform_int_distribution<std::int64_t>(0, below - 1)(random);
  };
  scratch_store store;
  const stream_id log = store.make_log();
  std::vector<std::int64_t> times;
  offset_t start = 0;
  const auto compare = [&] {
    for (std::int64_t wanted = -1; wanted <= 1'001; wanted += 1 + draw(40)) {
      const auto first = std::find_if(times.begin() + static_cast<std::ptrdiff_t>(start), times.end(),
                                      [&](std::int64_t time) { return time >= wanted; });
      ASSERT_EQ(store->read().find_time(log, wanted).value(), static_cast<offset_t>(first - times.begin())) << wanted;
    }
  };
  for (int round = 0; round < 60 && !testing::Test::HasFatalFailure(); ++round) {
    batch_builder builder;
    for (std::int64_t count = 1 + draw(30); count > 0; --count) {
      times.push_back(draw(round < 30 ? 500 : 1'000));
      builder.add(
          record_view{times.size() - 1, times.back(), {}, std::string(static_cast<std::size_t>(draw(300)), 'b'), {}});
    }
    const std::string batch = builder.finish();
    store.open_group().append_batch(log, draw(2) == 0 ? zstd_compressed(batch) : batch);
    store.commit();
    if (round == 40) {
      start = times.size() / 3;
      store.open_group().trim(log, start);
      store.commit();
    }
    if (round % 5 == 0) compare();
  }
  compare();
}

TEST(reader, find_time_stops_at_compressed_batches) {
  scratch_store store;
  const stream_id log = store.make_log();
  for (std::int64_t i = 0; i < 100; ++i) {
    store.append_opaque(log, 10, std::string(1'000, 'z'), 1'000 * i);
    store.commit();
  }
  for (std::int64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(store->read().find_time(log, 1'000 * i).value(), static_cast<offset_t>(10 * i));
    EXPECT_EQ(store->read().find_time(log, 1'000 * i - 1).value(), static_cast<offset_t>(10 * i));
  }
  EXPECT_EQ(store->read().find_time(log, 100'000).value(), 1'000u);
}

// Damages any byte of a chunk, batch headers and offsets included. The scan ends with an error that names the stream,
// and returns no wrong record before the error.
TEST(reader, a_flipped_byte_in_a_chunk_is_told) {
  scratch_store store;
  const stream_id log = store.make_log();
  store.append_many(log, 20, 500);
  store.append_opaque(log, 10, std::string(3'000, 'z'));
  store.append_many(log, 40, 30);
  store.commit();
  const auto good = store.bodies(log);
  store.close();
  const auto chunks = raw_file(store.path()).rows(&tables::chunk);
  ASSERT_EQ(chunks.size(), 1u);
  const auto& [key, value] = *chunks.begin();
  std::mt19937 random(5);
  for (int round = 0; round < 150; ++round) {
    std::string damaged = value;
    const std::size_t at = round < 100 ? static_cast<std::size_t>(round) : random() % value.size();
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    raw_file(store.path()).put(&tables::chunk, key, damaged);
    store.open();
    const auto scanned = store->read().scan(log, 0, [&](const batch_view& batch) {
      record_reader records(batch);
      record_view record;
      while (records.next(record)) EXPECT_EQ(record.body, good.at(record.offset));
      return true;
    });
    ASSERT_FALSE(scanned) << at;
    EXPECT_THAT(scanned.error().text, HasSubstr("stream 1"));
    store.kill();
  }
}

// With a damage callback a scan continues after the damage and reports its offsets. Each offset is either passed to the
// caller or reported.
TEST(reader, what_is_damaged_can_be_passed_over) {
  scratch_store store;
  const stream_id log = store.make_log();
  for (int i = 0; i < 10; ++i) {
    store.append_many(log, 40, 1'000);
    store.commit();
  }
  store.append_many(log, 5, 100);
  store.close();
  const auto chunks = raw_file(store.path()).rows(&tables::chunk);
  ASSERT_GE(chunks.size(), 4u);
  std::mt19937 random(6);
  for (int round = 0; round < 60; ++round) {
    const auto& [key, value] = *std::next(chunks.begin(), static_cast<std::ptrdiff_t>(random() % chunks.size()));
    std::string damaged = value;
    const std::size_t at = round % 2 == 0 ? random() % 100 : random() % value.size();
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    raw_file(store.path()).put(&tables::chunk, key, damaged);
    store.open();
    const offset_t from = random() % 3 == 0 ? random() % 400 : 0;
    offset_t next = from;
    std::uint64_t missing = 0;
    const auto take = [&](const batch_view& batch) {
      EXPECT_LE(batch.base_offset, next);
      next = batch.last_offset + 1;
      return true;
    };
    const auto scanned = store->read().scan(log, from, take, [&](offset_range range) {
      EXPECT_EQ(range.begin, next);
      missing += range.size();
      next = range.end;
    });
    ASSERT_TRUE(scanned);
    EXPECT_EQ(next, store.view(log).end);
    if (from == 0) {
      EXPECT_GT(missing, 0u);
    }
    store.kill();
    raw_file(store.path()).put(&tables::chunk, key, value);
  }
}

// The last offset in a damaged batch is not trusted. The batches after it are returned, and no offset past the stream's
// end is reported.
TEST(reader, a_damaged_last_offset_takes_nothing_else_along) {
  scratch_store store;
  const stream_id log = store.make_log();
  for (int i = 0; i < 3; ++i) store.append_opaque(log, 10, std::string(3'000, 'z'));
  store.commit();
  store.close();
  const auto chunks = raw_file(store.path()).rows(&tables::chunk);
  ASSERT_EQ(chunks.size(), 1u);
  const auto& [key, value] = *chunks.begin();
  for (const std::size_t batch : {0, 1, 2}) {
    for (const std::uint32_t delta : {12u, 1'000'000u}) {
      std::string damaged = value;
      constexpr std::size_t last_offset_delta_at = 23, batch_bytes = record_batch_header_bytes + 3'000;
      store_be(damaged.data() + chunk_header_bytes + batch * batch_bytes + last_offset_delta_at, delta);
      raw_file(store.path()).put(&tables::chunk, key, damaged);
      store.open();
      std::vector<offset_t> given, told;
      const auto take = [&](const batch_view& found) {
        given.push_back(found.base_offset);
        return true;
      };
      const auto note = [&](offset_range range) { told.insert(told.end(), {range.begin, range.end}); };
      ASSERT_TRUE(store->read().scan(log, 0, take, note));
      EXPECT_EQ(told, (std::vector<offset_t>{10 * batch, 10 * batch + 10})) << delta;
      EXPECT_EQ(given.size(), 2u) << delta;
      given.clear(), told.clear();
      ASSERT_TRUE(store->read().scan(log, 10 * batch + 5, take, note));
      EXPECT_EQ(told, (std::vector<offset_t>{10 * batch + 5, 10 * batch + 10})) << delta;
      EXPECT_EQ(given.size(), 2 - batch) << delta;
      store.kill();
    }
  }
}

// A flipped bit in one of LMDB's own pages can hide a row.
TEST(reader, a_chunk_that_is_missing_is_told) {
  scratch_store store;
  const stream_id log = store.make_log();
  for (int i = 0; i < 10; ++i) {
    store.append_many(log, 40, 1'000);
    store.commit();
  }
  store.close();
  const auto chunks = raw_file(store.path()).rows(&tables::chunk);
  ASSERT_GE(chunks.size(), 3u);
  offset_t begin = 0;
  for (const auto& [key, value] : chunks) {
    const offset_t end = place_of_chunk_key(key).last_offset + 1;
    raw_file(store.path()).erase(&tables::chunk, key);
    store.open();
    for (const offset_t from : {offset_t{0}, begin, begin + 1}) {
      const auto refused = store->read().scan(log, from, [](const batch_view&) { return true; });
      EXPECT_FALSE(refused) << from;
      std::vector<offset_range> missing;
      const auto scanned = store->read().scan(
          log, from, [](const batch_view&) { return true; }, [&](offset_range range) { missing.push_back(range); });
      ASSERT_TRUE(scanned);
      ASSERT_EQ(missing.size(), 1u);
      EXPECT_EQ(missing[0].begin, std::max(from, begin));
      EXPECT_EQ(missing[0].end, end);
    }
    store.kill();
    raw_file(store.path()).put(&tables::chunk, key, value);
    begin = end;
  }
}

}  // namespace
}  // namespace tidegate::store
