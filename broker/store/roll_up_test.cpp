#include "broker/store/roll_up.hpp"

#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string batch_of(offset_t base, std::size_t count, std::size_t body_bytes) {
  batch_builder builder;
  for (std::size_t i = 0; i < count; ++i) {
    message_view message;
    const std::string body(body_bytes, 'x');
    message.body = body;
    builder.add(base + i, 0, message);
  }
  return builder.finish();
}

std::vector<packed_chunk> roll_up(const stream_ledger& ledger, const std::vector<std::string>& batches) {
  chunk_builder builder(ledger);
  for (const std::string& batch : batches) builder.add(read_batch(batch).value());
  return builder.finish();
}

std::vector<batch_view> batches_of(const packed_chunk& chunk) {
  std::vector<batch_view> found;
  std::string_view rest = chunk.batches();
  while (!rest.empty()) {
    found.push_back(read_batch(rest).value());
    EXPECT_TRUE(crc_matches(found.back()));
    rest.remove_prefix(found.back().bytes.size());
  }
  return found;
}

std::vector<offset_t> offsets_of(const packed_chunk& chunk) {
  std::vector<offset_t> offsets;
  for (const batch_view& batch : batches_of(chunk)) {
    record_reader records(batch);
    raw_record record;
    while (records.next(record)) offsets.push_back(record.offset);
    EXPECT_FALSE(records.failed());
  }
  return offsets;
}

TEST(roll_up, small_batches_become_one) {
  const auto chunks = roll_up({}, {batch_of(0, 1, 10), batch_of(1, 2, 10), batch_of(3, 1, 10)});
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(batches_of(chunks[0]).size(), 1u);
  EXPECT_THAT(offsets_of(chunks[0]), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(chunks[0].last_offset, 3u);
}

// A batch stores its last offset as an int32 relative to its first.
TEST(roll_up, records_that_are_far_apart_are_of_two_batches) {
  constexpr offset_t far = std::uint64_t{5} << 31;
  const auto chunks = roll_up({}, {batch_of(0, 1, 10), batch_of(far, 1, 10), batch_of(far + 7, 1, 10)});
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(batches_of(chunks[0]).size(), 2u);
  EXPECT_THAT(offsets_of(chunks[0]), ElementsAre(0, far, far + 7));
}

TEST(roll_up, big_and_compressed_batches_keep_their_bytes) {
  const std::string big = batch_of(0, 10, 1'000), packed = scratch_store::opaque_batch(10, 5, "abc", 0);
  const auto chunks = roll_up({}, {big, packed});
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].batches(), big + packed);
  EXPECT_EQ(chunks[0].last_offset, 14u);
}

TEST(roll_up, what_is_acknowledged_is_left_out) {
  stream_ledger ledger;
  ledger.next = 40;
  ledger.ack({0, 1});
  ledger.ack({2, 3});
  ledger.ack({10, 15});
  ledger.ack({39, 40});
  const auto chunks = roll_up(ledger, {batch_of(0, 3, 10), batch_of(3, 27, 400), batch_of(30, 10, 10)});
  ASSERT_EQ(chunks.size(), 1u);
  const auto offsets = offsets_of(chunks[0]);
  EXPECT_EQ(offsets.size(), 32u);
  for (const offset_t offset : offsets) EXPECT_TRUE(ledger.is_live(offset)) << offset;
  EXPECT_EQ(chunks[0].last_offset, 38u);
}

TEST(roll_up, nothing_alive_is_no_chunk) {
  stream_ledger ledger;
  ledger.next = 9;
  ledger.ack({1, 9});
  EXPECT_THAT(roll_up(ledger, {batch_of(1, 4, 10), batch_of(5, 4, 2'000)}), IsEmpty());
}

TEST(roll_up, chunks_are_full_and_no_fuller) {
  std::vector<std::string> batches;
  for (offset_t offset = 0; offset < 500; offset += 4) batches.push_back(batch_of(offset, 4, 100));
  const auto chunks = roll_up({}, batches);
  ASSERT_EQ(chunks.size(), 4u);
  offset_t expected = 0;
  for (const packed_chunk& chunk : chunks) {
    EXPECT_LE(chunk.batches().size() + chunk_header_bytes, chunk_bytes_max);
    if (&chunk != &chunks.back()) {
      EXPECT_GE(chunk.batches().size() + chunk_header_bytes, chunk_bytes_max - 300);
    }
    EXPECT_EQ(batches_of(chunk).size(), 1u);
    for (const offset_t offset : offsets_of(chunk)) EXPECT_EQ(offset, expected++);
    EXPECT_EQ(chunk.last_offset, expected - 1);
  }
  EXPECT_EQ(expected, 500u);
}

TEST(roll_up, a_batch_longer_than_a_chunk_has_one_of_its_own) {
  const auto chunks = roll_up({}, {batch_of(0, 1, 10), batch_of(1, 1, 900'000), batch_of(2, 1, 10)});
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[1].last_offset, 1u);
}

TEST(roll_up, a_cut_keeps_records_apart) {
  const stream_ledger ledger;
  chunk_builder builder(ledger);
  const std::string older = batch_of(0, 2, 10), newer = batch_of(2, 2, 10);
  builder.add(read_batch(older).value());
  builder.cut();
  builder.add(read_batch(newer).value());
  const auto chunks = builder.finish();
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(batches_of(chunks[0]).size(), 2u);
}

TEST(roll_up, a_damaged_batch_is_not_laundered) {
  std::string batch = batch_of(0, 3, 10);
  batch[70] = static_cast<char>(batch[70] ^ 1);
  EXPECT_THROW(roll_up({}, {batch}), storage_failure);
}

// 64 queues fill at the same rate. No commit moves all of them into chunks.
TEST(roll_up, streams_due_together_are_moved_by_and_by) {
  scratch_store scratch({32 << 20, 16 << 20});
  std::vector<stream_id> queues;
  for (int i = 0; i < 64; ++i) queues.push_back(scratch.make_queue());
  std::uint64_t longest = 0, journal = 0;
  for (int commit = 0; commit < 100; ++commit) {
    for (const stream_id queue : queues) scratch.append_many(queue, 1, 2'000);
    const commit_result result = scratch.commit();
    longest = std::max(longest, result.bytes_written);
    journal = std::max(journal, result.journal_bytes);
  }
  EXPECT_LT(longest, step_bounds{}.moved_bytes + 256 * 1024 + 64 * 2'200);
  EXPECT_LT(journal, std::uint64_t{8} << 20);
  for (const stream_id queue : queues) EXPECT_EQ(scratch.bodies(queue).size(), 100u);
}

}  // namespace
}  // namespace tidegate::store
