// What a disk may hold of one of a store's files when the power goes: what was synced, and of the writes since then any
// sectors. What of two files is there has nothing to do with each other: a sync is one file's.
//
//   fdatasync          all writes so far to the file are on the disk
//   a write by O_DSYNC is on the disk when it returns; writes before it may still not be
//   any other write    some of its sectors of 512 bytes may be, in any order with others
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/faults/draw.hpp"
#include "tests/faults/recording.hpp"

namespace tidegate::faults {

constexpr std::size_t sector_bytes = 512;

enum class cut_kind {
  all,     // every write so far: the process died, or the disk was quick
  synced,  // only what was synced
  subset,  // and some of the writes since, in any order
  torn,    // the same, and some of those in part
};

// A part of a write: its bytes from `begin` to `end`.
struct piece {
  const event* write;
  std::size_t begin, end;
};

class disk {
 public:
  // `ignores_syncs`: as a program that never waits for the disk, for the control. The kernel then writes back what is
  // some hundreds of writes old.
  disk(store_part part, bool ignores_syncs) : part_(part), ignores_syncs_(ignores_syncs) {}

  // Nothing happens where it is the other file's.
  void apply(const event& event);
  // What is on the disk for certain.
  std::string_view synced() const { return synced_; }
  // What else may be, in the order in which it is put there. `in_flight`: a write whose call has not returned.
  std::vector<piece> pieces(cut_kind kind, const event* in_flight, draw& draw) const;

 private:
  void put(const event& event);
  void put_oldest(std::size_t count);

  store_part part_;
  bool ignores_syncs_;
  std::string synced_;
  std::deque<const event*> pending_;
};

}  // namespace tidegate::faults
