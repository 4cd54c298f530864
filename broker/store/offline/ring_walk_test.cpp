// The ring walk finds the journal's blobs wherever they are, by the content of each blob alone.
#include "broker/store/offline/ring_walk.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::store::offline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t block_bytes = 4'096;

class ring_walks : public testing::Test {
 protected:
  ring_walks() {
    make_ring(path(), ring_bytes_min, id_, {});
    ring_ = std::make_unique<ring>(path(), ring_access::write);
  }

  std::filesystem::path path() const { return directory_.path() / journal_file; }
  // Appends a commit with about `bytes` bytes of entries. Makes room as steps of the tables do.
  void append(std::size_t bytes = 100) {
    blob_writer blob(ring_->end().commit + 1, {});
    blob.fact("M" + std::to_string(ring_->end().commit + 1), std::string(bytes, 'x'));
    append_blob(blob);
  }
  void append_blob(blob_writer& blob) {
    ring_->release();
    while (!ring_->has_room(blob.size())) {
      ring_->move_head(ring_->place_before(ring_->head().commit + 2));
      ring_->release();
    }
    ring_->append(blob.bytes());
    blobs_[ring_->end().commit] = blob.bytes();
  }
  std::vector<char> content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Walks a copy of `file`. Views are valid until the next call. The copy is exactly as long as the file, so a
  // sanitizer reports reads past its end.
  ring_walk_result walked(const std::vector<char>& file, const std::optional<ring_id>& id = std::nullopt) {
    walked_ = file;
    walked_.shrink_to_fit();
    return walk_ring({walked_.data(), walked_.size()}, id);
  }
  static void zero_block(std::vector<char>& file, std::size_t block) {
    std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(block * block_bytes), block_bytes, '\0');
  }
  static std::vector<commit_number> commits(const ring_walk_result& result) {
    std::vector<commit_number> numbers;
    for (const found_blob& blob : result.blobs) numbers.push_back(blob.head.commit);
    return numbers;
  }
  // Returns the commits after the ring's head, which the file must have. Older ones may be there too.
  std::vector<commit_number> needed() const {
    std::vector<commit_number> numbers;
    for (commit_number next = ring_->head().commit + 1; next <= ring_->end().commit; ++next) numbers.push_back(next);
    return numbers;
  }
  void expect_blobs_are_right(const ring_walk_result& result) {
    for (const found_blob& blob : result.blobs) {
      EXPECT_EQ(blob.bytes, blobs_.at(blob.head.commit)) << blob.head.commit;
      EXPECT_EQ(blob.at, 2 * block_bytes + blob.head.position % ring_->capacity());
    }
  }

  scratch_directory directory_;
  ring_id id_ = new_ring_id();
  std::unique_ptr<ring> ring_;
  std::map<commit_number, std::string> blobs_;
  std::vector<char> walked_;
};

TEST_F(ring_walks, a_new_ring_has_two_headers_and_no_blob) {
  const auto found = walked(content());
  ASSERT_EQ(found.headers.size(), 2u);
  for (const ring_header& header : found.headers) {
    EXPECT_EQ(header.format, format_version);
    EXPECT_EQ(header.id, id_);
    EXPECT_EQ(header.generation, 0u);
    EXPECT_EQ(header.file_bytes, ring_bytes_min);
    EXPECT_EQ(header.block_bytes, block_bytes);
  }
  EXPECT_THAT(found.blobs, IsEmpty());
  EXPECT_EQ(found.damaged_blobs, 0u);
}

TEST_F(ring_walks, all_blobs_are_found_in_the_order_of_their_commits) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    append(random() % (ring_->blob_bytes_max() - 200));
    const auto found = walked(content());
    expect_blobs_are_right(found);
    const auto numbers = commits(found);
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
    EXPECT_THAT(numbers, testing::IsSupersetOf(needed())) << i;
  }
}

TEST_F(ring_walks, the_newest_header_comes_first) {
  ring_->begin_generation(1);
  ring_->begin_generation(2);
  ring_->begin_generation(3);
  append();
  std::vector<char> file = content();
  auto found = walked(file);
  ASSERT_EQ(found.headers.size(), 2u);
  EXPECT_EQ(found.headers[0].generation, 3u);
  EXPECT_EQ(found.headers[1].generation, 2u);
  zero_block(file, 1);
  found = walked(file);
  ASSERT_EQ(found.headers.size(), 1u);
  EXPECT_EQ(found.headers[0].generation, 2u);
  EXPECT_THAT(commits(found), ElementsAre(1));
}

TEST_F(ring_walks, either_header_is_enough_and_without_both_the_id_is) {
  for (int i = 0; i < 40; ++i) append(i * 150);
  const std::vector<char> whole = content();
  const auto all = commits(walked(whole));
  for (const std::size_t block : {0u, 1u}) {
    std::vector<char> file = whole;
    zero_block(file, block);
    EXPECT_EQ(walked(file).headers.size(), 1u);
    EXPECT_EQ(commits(walked(file)), all) << block;
  }
  std::vector<char> file = whole;
  zero_block(file, 0);
  zero_block(file, 1);
  EXPECT_THAT(walked(file).headers, IsEmpty());
  EXPECT_EQ(commits(walked(file, id_)), all);
  expect_blobs_are_right(walked(file, id_));
  EXPECT_THAT(walked(file).blobs, IsEmpty()) << "nothing tells a blob of this ring";
  EXPECT_THAT(walked(file, new_ring_id()).blobs, IsEmpty());
  EXPECT_GT(walked(file).damaged_blobs, 0u);
}

TEST_F(ring_walks, a_damaged_blob_is_left_out_and_those_behind_it_are_found) {
  for (int i = 0; i < 6; ++i) append(3'000);
  const std::vector<char> whole = content();
  for (std::size_t bit = 0; bit < 8 * blobs_.at(3).size(); bit += 97) {
    std::vector<char> file = whole;
    char& byte = file[4 * block_bytes + bit / 8];
    byte = static_cast<char>(byte ^ (1 << bit % 8));
    const auto found = walked(file);
    EXPECT_THAT(commits(found), ElementsAre(1, 2, 4, 5, 6)) << bit;
    EXPECT_EQ(found.damaged_blobs, bit < 32 ? 0u : 1u) << bit;
  }
}

// A client publishes a piece of this journal as a record. The blob with this record is damaged.
TEST_F(ring_walks, a_blob_within_a_record_is_none) {
  append(3'000);
  const std::string inner = blobs_.at(1);
  blob_writer outer(2, {});
  outer.fact("Mouter", std::string(10'000, 'x'));
  outer.bytes().replace(block_bytes, inner.size(), inner);
  append_blob(outer);
  append();
  EXPECT_THAT(commits(walked(content())), ElementsAre(1, 2, 3));
  std::vector<char> file = content();
  file[3 * block_bytes + 100] ^= 1;
  EXPECT_THAT(commits(walked(file)), ElementsAre(1, 3));
  zero_block(file, 0);
  zero_block(file, 1);
  EXPECT_THAT(commits(walked(file, id_)), ElementsAre(1, 3));
}

TEST_F(ring_walks, a_file_cut_short_gives_what_is_left) {
  for (int i = 0; i < 12; ++i) append(3'000);
  const std::vector<char> whole = content();
  for (std::size_t length = 0; length < whole.size(); length += 777) {
    for (const bool has_headers : {true, false}) {
      std::vector<char> file(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      if (!has_headers) std::fill_n(file.begin(), std::min<std::size_t>(length, 2 * block_bytes), '\0');
      const auto found = walked(file, id_);
      expect_blobs_are_right(found);
      const std::size_t blobs = length < 2 * block_bytes ? 0 : (length - 2 * block_bytes) / block_bytes;
      EXPECT_GE(found.blobs.size(), std::min<std::size_t>(blobs, 12)) << length;
    }
  }
}

// A ring with blocks of 16 KiB is made by hand, since the scratch directory's device may have smaller ones.
TEST_F(ring_walks, blocks_of_16_kib) {
  constexpr std::uint64_t large = 16'384;
  std::vector<char> file(8 * large);
  std::string header;
  append_be(header, std::uint32_t{0x54475247});
  append_be(header, format_version);
  header.append(id_.data(), id_.size());
  append_be(header, std::uint64_t{4});
  append_be(header, std::uint64_t{file.size()});
  append_be(header, static_cast<std::uint32_t>(large));
  append_be(header, crc32c(header));
  for (const std::uint64_t at : {std::uint64_t{0}, large}) {
    std::copy(header.begin(), header.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
  }
  for (commit_number commit = 1; commit <= 3; ++commit) {
    blob_writer blob(commit, {});
    blob.fact("Ma", std::string(5'000, 'x'));
    const ring_position position = (commit + 6 - 1) * large;
    seal_blob(blob.bytes(), position, 0, crc32c({id_.data(), id_.size()}));
    const std::uint64_t at = 2 * large + position % (6 * large);
    std::copy(blob.bytes().begin(), blob.bytes().end(), file.begin() + static_cast<std::ptrdiff_t>(at));
  }
  EXPECT_EQ(walked(file).headers.size(), 2u);
  EXPECT_THAT(commits(walked(file)), ElementsAre(1, 2, 3));
  std::fill_n(file.begin(), header.size(), '\0');
  EXPECT_EQ(walked(file).headers.size(), 1u);
  EXPECT_THAT(commits(walked(file)), ElementsAre(1, 2, 3));
  std::fill_n(file.begin() + large, header.size(), '\0');
  EXPECT_THAT(commits(walked(file, id_)), ElementsAre(1, 2, 3));
}

TEST_F(ring_walks, no_damage_makes_it_read_elsewhere) {
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) append(random() % 9'000);
  std::vector<char> file = content();
  for (int i = 0; i < 2'000; ++i) {
    const std::size_t at = random() % 4 == 0 ? random() % 100 : random() % (file.size() / 512) * 512 + random() % 80;
    const std::size_t size = 1 + random() % 16;
    for (std::size_t next = at; next < std::min(at + size, file.size()); ++next) {
      file[next] =
          random() % 2 == 0 ? static_cast<char>(file[next] ^ (1 << random() % 8)) : static_cast<char>(random());
    }
    expect_blobs_are_right(walked(file, id_));
    if (i % 50 == 49) file = content();
  }
}

}  // namespace
}  // namespace tidegate::store::offline
