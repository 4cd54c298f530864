// Tests of the disk model: what may be on a disk after a power cut.
#include "tests/faults/disk.hpp"

#include <gmock/gmock.h>

#include <set>

namespace tidegate::faults {
namespace {

event write_of(std::uint64_t offset, std::string_view bytes, bool synced = false) {
  return {event::what::write, store_part::tables, synced, offset, bytes};
}
const event sync{event::what::sync, store_part::tables, false, 0, {}};

TEST(Disk, HoldsForCertainWhatWasSynced) {
  const event first = write_of(0, "aaaa"), second = write_of(2, "bb");
  disk disk(store_part::tables, false);
  draw draw(1);
  disk.apply(first);
  disk.apply(second);
  EXPECT_EQ(disk.synced(), "");
  EXPECT_EQ(disk.pieces(cut_kind::all, nullptr, draw).size(), 2u);
  disk.apply(sync);
  EXPECT_EQ(disk.synced(), "aabb");
  EXPECT_TRUE(disk.pieces(cut_kind::all, nullptr, draw).empty());
}

TEST(Disk, TakesASyncedWriteAtOnceAndNothingElseWithIt) {
  const event data = write_of(4, "data"), meta = write_of(0, "meta", true);
  disk disk(store_part::tables, false);
  disk.apply(data);
  disk.apply(meta);
  EXPECT_EQ(disk.synced(), "meta");
}

TEST(Disk, LosesAnyOfTheWritesSinceTheLastSync) {
  const event first = write_of(0, "a"), second = write_of(1, "b");
  disk disk(store_part::tables, false);
  disk.apply(first);
  disk.apply(second);
  std::set<std::vector<std::uint64_t>> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    draw draw(seed);
    std::vector<std::uint64_t> offsets;
    for (const piece& piece : disk.pieces(cut_kind::subset, nullptr, draw)) offsets.push_back(piece.write->offset);
    seen.insert(offsets);
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST(Disk, TearsWritesAtSectors) {
  const std::string bytes(2'000, 'x');
  const event write = write_of(100, bytes);
  disk disk(store_part::tables, false);
  disk.apply(write);
  bool is_torn = false;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    draw draw(seed);
    const auto pieces = disk.pieces(cut_kind::torn, nullptr, draw);
    std::size_t sum = 0;
    for (const piece& piece : pieces) {
      sum += piece.end - piece.begin;
      EXPECT_TRUE(piece.begin == 0 || (write.offset + piece.begin) % sector_bytes == 0);
    }
    is_torn = is_torn || (sum > 0 && sum < bytes.size());
  }
  EXPECT_TRUE(is_torn);
}

TEST(Disk, KnowsNoSyncInTheControl) {
  const event data = write_of(4, "data"), meta = write_of(0, "meta", true);
  disk disk(store_part::tables, true);
  draw draw(1);
  disk.apply(data);
  disk.apply(sync);
  disk.apply(meta);
  EXPECT_EQ(disk.synced(), "");
  EXPECT_EQ(disk.pieces(cut_kind::all, nullptr, draw).size(), 2u);
}

}  // namespace
}  // namespace tidegate::faults
