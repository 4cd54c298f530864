// What a stream of messages shows by itself of the promises, checked while it comes in, in memory that does not grow
// with it: whole bodies, nothing foreign, each message once (again only as `redelivered`), each publisher's messages in
// order, and in the end nothing confirmed missing. tests/faults/invariants.hpp holds a whole store against all of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/tool/bench/sequence_set.hpp"

namespace tidegate::tool::bench {

// What one publisher has sent into one target, for the time after the run.
struct promise {
  std::uint64_t sent = 0;  // sequences 1 to this
  sequence_set excused;    // refused, or never settled: these may be missing
};

struct findings {
  std::uint64_t checked = 0;
  std::uint64_t lost = 0;          // confirmed, and never seen
  std::uint64_t duplicates = 0;    // seen before, and not flagged redelivered
  std::uint64_t out_of_order = 0;  // behind a later one of its publisher
  std::uint64_t damaged = 0;       // its CRC is wrong
  std::uint64_t foreign = 0;       // not of this run, or not for this target
  std::uint64_t redelivered = 0;   // seen before and flagged so: no breach
  std::uint64_t untraceable = 0;   // streams with more gaps than are kept track of
  std::string first;               // breach, in words

  bool is_clean() const { return lost + duplicates + out_of_order + damaged + foreign + untraceable == 0; }
  void merge(const findings& other);
};

// Of one target: a queue, or a partition. All of its readers are on one thread.
class checker {
 public:
  struct expectation {
    std::string name;  // of the target, for the words
    std::uint32_t run = 0;
    std::uint32_t target = 0;
    std::size_t publishers = 1;
    std::size_t readers = 1;  // each of which sees a publisher's messages in order
    bool ordered = true;      // false: answers of several servers, whose order nobody promises
  };
  explicit checker(expectation expected);

  void take(std::string_view body, bool redelivered, std::size_t reader);
  // Nothing more will come. The promises are the publishers', by their number; of what they hold, `dropped` messages
  // went by a configured bound.
  void conclude(std::span<const promise* const> promises, std::uint64_t dropped);

  const findings& found() const { return found_; }
  // Forgets what was seen, not what was found: for reading the same again.
  void begin_again();

 private:
  void blame(std::uint64_t& count, std::string_view what, std::uint32_t publisher, std::uint64_t sequence);

  expectation expected_;
  std::vector<sequence_set> seen_;   // by publisher
  std::vector<std::uint64_t> last_;  // by reader and publisher
  findings found_;
};

}  // namespace tidegate::tool::bench
