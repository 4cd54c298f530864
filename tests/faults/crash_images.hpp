// Makes crash images from one recording, and opens and judges each image in a child process, several at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/faults/disk.hpp"
#include "tests/faults/recording.hpp"

namespace tidegate::faults {

// The files whose syncs are ignored in a control, which must then find failures. Without the syncs of the tables, the
// ring is freed before its records are stored anywhere else. Without those of the journal, commits are confirmed too
// early.
enum class ignored_syncs { none, tables, journal, all };

struct image_options {
  std::uint64_t images = 500;
  std::uint64_t seed = 1;
  std::uint64_t only = 0;  // number of the only image to judge, from 1; 0 = all
  ignored_syncs ignores = ignored_syncs::none;
  unsigned jobs = 2;  // child processes at a time
};

struct image_tally {
  std::uint64_t images = 0;  // judged
  std::uint64_t opened = 0;
  std::uint64_t refused_when_new = 0;  // failed, but were cut before the store was first open: nothing was promised yet
  std::uint64_t lost = 0;              // images in which a confirmed message was gone
  std::uint64_t damaged = 0;           // images that broke another promise, or did not open
  std::uint64_t crashed = 0;           // images whose child process did not survive them
  std::vector<std::string> failures;   // the first ones, with their image numbers
  std::uint64_t failed() const { return lost + damaged + crashed; }
  void add(const image_tally& other);
};

// Judges the images and returns the sums. Calls `progress` repeatedly with the number of images done so far.
image_tally judge_images(const recording& recording, const image_options& options,
                         const std::function<void(std::uint64_t)>& progress);

}  // namespace tidegate::faults
