// The journal's ring by itself: which blobs are read again after each kind of damage or power cut.
#include "broker/store/ring.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <random>

#include "broker/base/bytes.hpp"
#include "broker/base/crc32c.hpp"
#include "broker/store/example_bytes.hpp"
#include "broker/store/scratch_store.hpp"

namespace tidegate::store {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t header_bytes = 8'192;

class rings : public testing::Test {
 protected:
  rings() {
    make_ring(path(), ring_bytes_min, id_, {});
    open();
  }

  std::filesystem::path path() const { return directory_.path() / journal_file; }
  void open() { ring_ = std::make_unique<ring>(path(), ring_access::write); }

  // Appends a commit with about `bytes` bytes of entries. Its content includes its number.
  void append(std::size_t bytes = 100) {
    ring_->release();
    blob_writer blob(ring_->end().commit + 1, {});
    blob.fact("M" + std::to_string(ring_->end().commit + 1), std::string(bytes, 'x'));
    ring_->append(blob.bytes());
  }
  void append_in_tables() {
    blob_writer blob(ring_->end().commit + 1, {});
    blob.leave_all_to_tables();
    ring_->append(blob.bytes());
  }
  // Opens the ring and returns the numbers of the commits that it reads after a place.
  std::vector<commit_number> commits(const ring_place& from = {}, commit_number in_tables = 0) {
    std::vector<commit_number> found;
    open();
    ring_->read(from, in_tables, [&](std::string_view, const blob_head& head) { found.push_back(head.commit); });
    return found;
  }
  std::string failure(const ring_place& from = {}, commit_number in_tables = 0) {
    try {
      commits(from, in_tables);
    } catch (const storage_failure& failed) {
      return failed.what();
    }
    return "none";
  }
  std::vector<commit_number> numbers(commit_number first, commit_number last) {
    std::vector<commit_number> all;
    for (; first <= last; ++first) all.push_back(first);
    return all;
  }
  std::string content() {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(std::uint64_t at, std::string_view bytes) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  scratch_directory directory_;
  ring_id id_ = new_ring_id();
  std::unique_ptr<ring> ring_;
};

TEST_F(rings, a_header_in_exact_bytes) {
  make_ring(path(), ring_bytes_min, {}, {});
  EXPECT_EQ(hex(content().substr(0, 48)),
            "54475247"
            "00000005"
            "00000000000000000000000000000000"
            "0000000000000000"
            "0000000000010000"
            "00001000"
            "16a4bd50");
}

TEST_F(rings, a_new_one_holds_nothing) {
  EXPECT_THAT(commits(), testing::IsEmpty());
  EXPECT_EQ(ring_->incomplete(), 0u);
  EXPECT_EQ(ring_->capacity(), ring_bytes_min - header_bytes);
}

TEST_F(rings, what_was_appended_is_found_in_its_order) {
  for (int i = 0; i < 5; ++i) append();
  EXPECT_EQ(commits(), numbers(1, 5));
  EXPECT_EQ(ring_->used(), 5u * 4'096);
}

// Blobs up to the longest, over many laps, opened at any point. The head is moved so that there is always room.
TEST_F(rings, goes_round_and_round) {
  std::mt19937 random(1);
  for (int i = 0; i < 2'000; ++i) {
    append(random() % (ring_->blob_bytes_max() - 200));
    while (ring_->used() > ring_->capacity() / 2) ring_->move_head(ring_->place_before(ring_->head().commit + 2));
    if (i % 100 != 0) continue;
    const ring_place head = ring_->head(), end = ring_->end();
    EXPECT_EQ(commits(head), numbers(head.commit + 1, end.commit));
    EXPECT_EQ(ring_->end().position, end.position);
    EXPECT_EQ(ring_->end().crc, end.crc);
  }
}

TEST_F(rings, has_room_for_what_nobody_reads_any_more) {
  while (ring_->has_room(4'000)) append(3'900);
  EXPECT_EQ(ring_->end().commit, ring_->capacity() / 4'096);
  ring_->move_head(ring_->place_before(3));
  EXPECT_FALSE(ring_->has_room(4'000)) << "before the reader knows";
  ring_->release();
  EXPECT_TRUE(ring_->has_room(8'192));
  EXPECT_FALSE(ring_->has_room(8'193));
}

TEST_F(rings, a_blob_that_does_not_fit_the_lap_begins_the_next) {
  const std::uint64_t blocks = ring_->capacity() / 4'096;
  for (std::uint64_t i = 0; i < blocks - 1; ++i) append(3'900);
  ring_->move_head(ring_->place_before(blocks - 1));
  append(5'000);
  const ring_place head = ring_->head();
  EXPECT_EQ(ring_->position_of_last(), ring_->capacity());
  EXPECT_EQ(commits(head), numbers(head.commit + 1, blocks));
}

// Keeps every possible set of the last blob's sectors. The blob is either there completely or not at all.
TEST_F(rings, a_torn_last_commit_is_no_commit) {
  append();
  append(3'000);
  const std::string before = content();
  append(3'000);
  const std::string after = content();
  const std::size_t at = header_bytes + 2 * 4'096;
  for (unsigned set = 0; set < 256; ++set) {
    std::string torn = before;
    for (std::size_t sector = 0; sector < 8; ++sector) {
      if ((set >> sector & 1) != 0) torn.replace(at + sector * 512, 512, after, at + sector * 512, 512);
    }
    put(0, torn);
    const bool is_whole = torn == after;
    EXPECT_EQ(commits(), numbers(1, is_whole ? 3 : 2)) << set;
    const bool has_head = (set & 1) != 0;
    EXPECT_EQ(ring_->incomplete(), has_head && !is_whole ? 3u : 0u) << set;
  }
}

TEST_F(rings, a_commit_takes_the_place_of_a_torn_one) {
  append();
  append(9'000);
  put(header_bytes + 2 * 4'096, std::string(100, '\7'));
  EXPECT_EQ(commits(), numbers(1, 1));
  append(10);
  append(10);
  EXPECT_EQ(commits(), numbers(1, 3));
}

// The torn blob's head still names the commit, at the place where the whole blob did not fit.
TEST_F(rings, a_torn_commit_at_the_laps_end_is_not_taken_for_the_one_in_the_next_lap) {
  const std::uint64_t blocks = ring_->capacity() / 4'096;
  for (std::uint64_t i = 0; i < blocks - 1; ++i) append(3'900);
  ring_->move_head(ring_->place_before(blocks - 1));
  const ring_place head = ring_->head();
  append(3'900);
  put(header_bytes + ring_->position_of_last() + 2'048, std::string(512, '\0'));
  EXPECT_EQ(commits(head), numbers(head.commit + 1, blocks - 1));
  EXPECT_EQ(ring_->incomplete(), blocks);
  append(5'000);
  append();
  EXPECT_EQ(ring_->place_before(blocks + 2).position, ring_->end().position);
  EXPECT_EQ(ring_->place_before(blocks + 1).position, ring_->position_of_last());
  EXPECT_EQ(commits(head), numbers(head.commit + 1, blocks + 1));
}

// A commit is only written after the one before is synced, so damage before the last commit is no torn write.
TEST_F(rings, damage_before_the_last_commit_is_told) {
  for (int i = 0; i < 6; ++i) append(static_cast<std::size_t>(i) * 2'000);
  const std::string good = content();
  const std::uint64_t last = header_bytes + ring_->position_of_last(), written = ring_->end().position;
  std::mt19937 random(1);
  for (int i = 0; i < 2'000; ++i) {
    std::string bad = good;
    const std::size_t at = header_bytes + random() % written;
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    put(0, bad);
    const bool is_last = at >= last;
    const std::string told = failure();
    if (told == "none" && ring_->end().commit == 6) continue;  // in the padding
    if (is_last) {
      EXPECT_EQ(ring_->incomplete(), 6u) << at;
    } else {
      EXPECT_THAT(told, HasSubstr("the journal lacks commit")) << at;
    }
  }
}

TEST_F(rings, a_commit_that_is_missing_altogether_is_told) {
  for (int i = 0; i < 4; ++i) append();
  put(header_bytes + 4'096, std::string(4'096, '\0'));
  EXPECT_THAT(failure(), HasSubstr("lacks commit 2, and has commit 3"));
}

// Blobs of earlier laps are never read: neither the one at the same place, nor those after it.
TEST_F(rings, old_laps_are_not_taken_for_new_ones) {
  const std::uint64_t blocks = ring_->capacity() / 4'096;
  for (std::uint64_t i = 0; i < 3 * blocks + 4; ++i) {
    append(3'900);
    ring_->move_head(ring_->place_before(ring_->end().commit));
  }
  const ring_place head = ring_->head();
  EXPECT_EQ(commits(head), numbers(head.commit + 1, 3 * blocks + 4));
}

TEST_F(rings, tables_older_than_the_ring_are_told) {
  append();
  const ring_place early = ring_->end();
  for (std::uint64_t i = 0; i < ring_->capacity() / 4'096 + 5; ++i) {
    append(3'900);
    ring_->move_head(ring_->place_before(ring_->end().commit));
  }
  EXPECT_THAT(failure(early, early.commit), HasSubstr("lacks commit 2, and has commit"));
}

// A record may contain the bytes of a header, at the place where the second header would be with longer blocks.
TEST_F(rings, a_header_among_the_blobs_is_none) {
  ring_->begin_generation(2);
  const std::filesystem::path other = directory_.path() / "other";
  make_ring(other, ring_bytes_min, new_ring_id(), {});
  ring(other, ring_access::write).begin_generation(1'000);
  std::ifstream file(other, std::ios::binary);
  const std::string header(std::string(std::istreambuf_iterator<char>(file), {}), 0, 48);
  for (const std::uint64_t at : {8'192, 16'384}) {
    put(at, header);
    open();
    EXPECT_EQ(ring_->id(), id_);
    EXPECT_EQ(ring_->generation(), 2u);
  }
}

TEST_F(rings, another_rings_blobs_are_none) {
  append();
  append();
  const std::string blobs = content().substr(header_bytes);
  make_ring(path(), ring_bytes_min, new_ring_id(), {});
  put(header_bytes, blobs);
  EXPECT_THAT(commits(), testing::IsEmpty());
}

TEST_F(rings, an_end_before_what_the_tables_know_is_told) {
  append();
  EXPECT_EQ(failure({}, 1), "none");
  EXPECT_THAT(failure({}, 2), HasSubstr("ends with commit 1, and the tables were written in 2"));
}

TEST_F(rings, a_commit_that_was_to_be_in_the_tables_counts_if_it_is) {
  append();
  append_in_tables();
  EXPECT_EQ(commits({}, 2), numbers(1, 2));
  EXPECT_EQ(commits({}, 1), numbers(1, 1));
  // The blob does not come back, wherever the next one is written.
  EXPECT_THAT(failure({}, 2), HasSubstr("ends with commit 1"));
  append();
  EXPECT_EQ(commits({}, 2), numbers(1, 2));
}

TEST_F(rings, the_last_one_can_be_taken_back) {
  append();
  append(9'000);
  ring_->take_back();
  EXPECT_EQ(commits(), numbers(1, 1));
  append();
  EXPECT_EQ(commits(), numbers(1, 2));
}

TEST_F(rings, one_of_two_headers_is_enough) {
  ring_->begin_generation(7);
  const std::string good = content();
  for (const std::size_t slot : {0, 1}) {
    put(0, good);
    put(slot * 4'096, std::string(100, 'x'));
    open();
    EXPECT_EQ(ring_->id(), id_);
    EXPECT_EQ(ring_->generation(), slot == 1 ? 0u : 7u);
  }
  put(0, std::string(100, 'x'));
  EXPECT_THAT(failure(), HasSubstr("does not begin like a journal"));
}

TEST_F(rings, a_file_cut_short_or_missing_is_told) {
  std::filesystem::resize_file(path(), ring_bytes_min - 1);
  EXPECT_THAT(failure(), HasSubstr("cut short"));
  std::filesystem::remove(path());
  EXPECT_THAT(failure(), HasSubstr("is missing"));
}

}  // namespace
}  // namespace tidegate::store
