// Chunks of several rows are read as they were stored. A damaged or missing piece is reported. All pieces are erased
// together.
#include "broker/store/chunk_rows.hpp"

#include <gmock/gmock.h>

#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A log of three chunks. The middle one has seven rows.
class chunk_rows : public ::testing::Test {
 protected:
  chunk_rows() : log_(store_.make_log()) {
    store_.append_many(log_, 3, 1'000);
    store_.commit();
    store_.append_opaque(log_, 10, std::string(100'000, 'z'));
    store_.commit();
    store_.append_many(log_, 3, 1'000);
    store_.commit();
    store_.close();
    for (const auto& [key, value] : raw_file(store_.path()).rows(&tables::chunk)) {
      if (place_of_chunk_key(key).last_offset == middle.end - 1) pieces_.emplace_back(key, value);
    }
  }

  struct seen {
    std::vector<offset_t> given;  // first offsets of batches
    std::vector<offset_t> told;   // damaged ranges: begin, end, begin, end ...
  };
  seen read() {
    seen seen;
    store_.open();
    const auto take = [&](const batch_view& batch) {
      seen.given.push_back(batch.base_offset);
      return true;
    };
    const auto note = [&](offset_range range) { seen.told.insert(seen.told.end(), {range.begin, range.end}); };
    EXPECT_TRUE(store_->read().scan(log_, 0, take, note));
    store_.kill();
    return seen;
  }
  void put(std::string_view key, std::string_view value) { raw_file(store_.path()).put(&tables::chunk, key, value); }
  void erase(std::string_view key) { raw_file(store_.path()).erase(&tables::chunk, key); }
  void expect_the_middle_is_told(const std::string& what) {
    const seen found = read();
    EXPECT_THAT(found.given, ElementsAre(0, middle.end)) << what;
    EXPECT_THAT(found.told, ElementsAre(middle.begin, middle.end)) << what;
  }

  static constexpr offset_range middle{3, 13};
  scratch_store store_;
  stream_id log_;
  std::vector<std::pair<std::string, std::string>> pieces_;
};

TEST_F(chunk_rows, a_long_batch_stands_in_several) {
  ASSERT_THAT(pieces_, SizeIs(7));
  for (std::uint16_t piece = 0; piece < 7; ++piece) {
    EXPECT_EQ(piece_of_chunk_key(pieces_[piece].first), piece);
    EXPECT_EQ(pieces_[piece].second.size(),
              piece < 6 ? row_bytes : chunk_header_bytes + record_batch_header_bytes + 100'000 - 6 * row_bytes);
  }
  const seen found = read();
  EXPECT_THAT(found.given, ElementsAre(0, 3, 13));
  EXPECT_THAT(found.told, IsEmpty());
}

TEST_F(chunk_rows, a_missing_piece_is_told) {
  for (const auto& [key, value] : pieces_) {
    erase(key);
    expect_the_middle_is_told(fmt::format("without piece {}", piece_of_chunk_key(key)));
    put(key, value);
  }
  EXPECT_THAT(read().told, IsEmpty());
}

TEST_F(chunk_rows, a_damaged_piece_is_told) {
  std::mt19937 random(1);
  for (const auto& [key, value] : pieces_) {
    for (int round = 0; round < 10; ++round) {
      std::string damaged = value;
      const std::size_t at = random() % value.size();
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      put(key, damaged);
      expect_the_middle_is_told(fmt::format("byte {} of piece {}", at, piece_of_chunk_key(key)));
    }
    put(key, value.substr(0, value.size() - 1));
    expect_the_middle_is_told("a cut piece");
    put(key, value + "z");
    expect_the_middle_is_told("a piece that grew");
    put(key, value);
  }
}

TEST_F(chunk_rows, pieces_in_each_others_place_are_told) {
  std::string other = pieces_[1].second;
  other.back() = 'y';
  put(pieces_[1].first, other);
  put(pieces_[2].first, pieces_[1].second);
  expect_the_middle_is_told("exchanged");
}

TEST_F(chunk_rows, a_piece_under_another_number_is_told) {
  for (const auto& [key, value] : pieces_) {
    std::string other = key;
    other[other.size() - 1] = static_cast<char>(other.back() ^ 8);
    erase(key);
    put(other, value);
    expect_the_middle_is_told(fmt::format("piece {}", piece_of_chunk_key(key)));
    erase(other);
    put(key, value);
  }
  const auto tail = *raw_file(store_.path()).rows(&tables::chunk).rbegin();
  erase(tail.first);
  put(chunk_key(log_, 15, 1), tail.second);
  EXPECT_THAT(read().told, ElementsAre(13, 16));
}

TEST_F(chunk_rows, all_pieces_go_together) {
  store_.open();
  store_.open_group().trim(log_, 5);
  store_.commit_until_idle();
  store_.kill();
  EXPECT_THAT(raw_file(store_.path()).rows(&tables::chunk), SizeIs(7 + 1));
  store_.open();
  store_.open_group().trim(log_, middle.end);
  store_.commit_until_idle();
  store_.kill();
  EXPECT_THAT(raw_file(store_.path()).rows(&tables::chunk), SizeIs(1));
  store_.open();
  store_.drop(log_);
  store_.commit_until_idle();
  store_.kill();
  EXPECT_THAT(raw_file(store_.path()).rows(&tables::chunk), IsEmpty());
}

TEST_F(chunk_rows, the_cursor_goes_from_chunk_to_chunk) {
  lmdb::env env(store_.path(), 8 << 20);
  const tables tables = open_tables(env);
  const lmdb::txn txn(env, lmdb::access::read);
  chunk_cursor chunks(txn, tables.chunk);
  std::vector<offset_t> ends;
  for (chunks.seek(log_, 0); chunks.last_offset_in(log_); chunks.next()) {
    ends.push_back(*chunks.last_offset_in(log_));
    EXPECT_TRUE(read_chunk(*chunks.place(), chunks.chunk()));
  }
  EXPECT_THAT(ends, ElementsAre(2, 12, 15));
  chunks.next();
  EXPECT_FALSE(chunks.place());
  chunks.seek(log_, 5);
  EXPECT_EQ(chunks.ask_ahead(1), 12u);
  EXPECT_EQ(chunks.ask_ahead(1'000'000), 15u);
}

}  // namespace
}  // namespace tidegate::store
