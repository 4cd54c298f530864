#include "bridge/record_stream.hpp"

#include <gtest/gtest.h>

#include "broker/model/compressed_batch.hpp"

namespace tidegate::bridge {
namespace {

std::string batch_of(offset_t first, std::initializer_list<const char*> bodies) {
  batch_builder builder;
  for (const char* body : bodies) {
    record_view record;
    record.offset = first++;
    record.body = body;
    builder.add(record);
  }
  return builder.finish();
}

std::vector<offset_t> offsets_of(record_stream& stream) {
  std::vector<offset_t> offsets;
  while (const record_view* record = stream.front()) {
    offsets.push_back(record->offset);
    stream.pop();
  }
  return offsets;
}

TEST(record_stream, walks_over_batches) {
  record_stream stream(batch_of(3, {"a", "b"}) + batch_of(9, {"c"}));
  EXPECT_EQ(offsets_of(stream), (std::vector<offset_t>{3, 4, 9}));
  EXPECT_TRUE(stream.at_end());
}

TEST(record_stream, keeps_its_records_when_it_is_moved) {
  record_stream first(batch_of(3, {"a", "b"}));
  ASSERT_EQ(first.front()->body, "a");
  record_stream second(std::move(first));
  EXPECT_EQ(second.front()->body, "a");
}

TEST(record_stream, tells_a_damaged_batch_and_goes_on_behind_it) {
  std::string damaged = batch_of(3, {"a", "b"});
  damaged.back() ^= 1;
  record_stream stream(damaged + batch_of(5, {"c"}));
  EXPECT_EQ(stream.front(), nullptr);
  EXPECT_FALSE(stream.at_end());
  EXPECT_EQ(stream.take_unreadable()->range, (offset_range{3, 5}));
  EXPECT_EQ(offsets_of(stream), (std::vector<offset_t>{5}));
}

TEST(record_stream, opens_compressed_batches) {
  record_stream first(batch_of(1, {"a"}) + zstd_compressed(batch_of(3, {"b", "c"})) +
                      zstd_compressed(batch_of(9, {"d"})));
  first.pop();
  first.front();
  first.pop();
  record_stream second(std::move(first));
  EXPECT_EQ(second.front()->body, "b");
  EXPECT_EQ(offsets_of(second), (std::vector<offset_t>{3, 4, 9}));
}

TEST(record_stream, tells_a_compressed_batch_that_does_not_decode) {
  std::string batch = batch_of(3, {"a", "b"});
  store_be<std::uint16_t>(batch.data() + 21, static_cast<std::uint16_t>(codec::zstd));
  store_be<std::uint32_t>(batch.data() + 17, crc32c(std::string_view(batch).substr(21)));
  record_stream stream(batch + batch_of(5, {"c"}));
  EXPECT_EQ(stream.front(), nullptr);
  EXPECT_EQ(stream.take_unreadable()->range, (offset_range{3, 5}));
  EXPECT_EQ(offsets_of(stream), (std::vector<offset_t>{5}));
}

TEST(record_stream, ends_at_a_batch_that_is_cut_off) {
  const std::string whole = batch_of(3, {"a", "b"});
  record_stream stream(whole + whole.substr(0, 70));
  EXPECT_EQ(offsets_of(stream), (std::vector<offset_t>{3, 4}));
  EXPECT_TRUE(stream.at_end());
  EXPECT_TRUE(record_stream().at_end());
}

}  // namespace
}  // namespace tidegate::bridge
