// Model of the disk under one of a store's files: tells what the file may hold after a power cut. The file holds all
// that was synced, and any sectors of the writes since then. Two files are independent of each other, because a sync
// applies to one file.
//
//   fdatasync          all earlier writes to the file are on the disk
//   a write by O_DSYNC is on the disk when it returns; earlier writes may still be missing
//   any other write    some of its sectors of 512 bytes may be on the disk, in any order with those of other writes
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
  all,     // every write that returned: the process died, or the disk was fast
  synced,  // only what was synced
  subset,  // what was synced, and an arbitrary selection of the writes since then
  torn,    // as subset, and some of these writes only in part
};

// A part of a write: its bytes from `begin` to `end`.
struct piece {
  const event* write;
  std::size_t begin, end;
};

class disk {
 public:
  // `ignores_syncs`: models a program that never waits for the disk, for the control. The kernel then writes back only
  // writes that some hundreds of later ones have followed.
  disk(store_part part, bool ignores_syncs) : part_(part), ignores_syncs_(ignores_syncs) {}

  // Applies an event, which must outlive the disk. Ignores events of the other file.
  void apply(const event& event);
  // Returns the content that is on the disk for certain; valid until the next apply().
  std::string_view synced() const { return synced_; }
  // Chooses which parts of the writes that are not synced are on the disk as well, and returns them in the order of the
  // writes. `in_flight`: the event whose call has not returned; nullptr = none.
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
