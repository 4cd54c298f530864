// Crash images of one recording, each opened and judged in a child process, several at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/faults/disk.hpp"
#include "tests/faults/recording.hpp"

namespace tidegate::faults {

// Of which file the syncs wait for nothing, for the controls: of the tables, then the ring is freed before what was in
// it is anywhere else; of the journal, then commits are confirmed too early.
enum class ignored_syncs { none, tables, journal, all };

struct image_options {
  std::uint64_t images = 500;
  std::uint64_t seed = 1;
  std::uint64_t only = 0;  // this image alone, from 1; 0 = all
  ignored_syncs ignores = ignored_syncs::none;
  unsigned jobs = 2;
};

struct image_tally {
  std::uint64_t images = 0;  // judged
  std::uint64_t opened = 0;
  std::uint64_t refused_when_new = 0;  // cut before the store was first open: nothing was promised yet
  std::uint64_t lost = 0;              // of these images, something confirmed was gone
  std::uint64_t damaged = 0;           // another promise was broken, or it did not open
  std::uint64_t crashed = 0;           // the process that opened it did not survive it
  std::vector<std::string> failures;   // the first ones, with their numbers
  std::uint64_t failed() const { return lost + damaged + crashed; }
  void add(const image_tally& other);
};

// `progress` is called with the number of images that are done, now and then.
image_tally judge_images(const recording& recording, const image_options& options,
                         const std::function<void(std::uint64_t)>& progress);

}  // namespace tidegate::faults
