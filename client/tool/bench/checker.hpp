// Checks a stream of messages as it arrives, in memory that does not grow with it: bodies are whole, nothing is
// foreign, each message comes once (again only as `redelivered`), each publisher's messages are in order, and at the
// end no confirmed message is missing. tests/faults/invariants.hpp checks a whole store.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/tool/bench/sequence_set.hpp"

namespace tidegate::tool::bench {

// What one publisher sent to one target, for the check after the run.
struct promise {
  std::uint64_t sent = 0;  // sequences 1 to this
  sequence_set excused;    // refused or never settled: these may be missing
};

struct findings {
  std::uint64_t checked = 0;
  std::uint64_t lost = 0;          // confirmed and never received
  std::uint64_t duplicates = 0;    // received before, and not flagged redelivered
  std::uint64_t out_of_order = 0;  // received after a later one of the same publisher
  std::uint64_t damaged = 0;       // its CRC is wrong
  std::uint64_t foreign = 0;       // not of this run, or not for this target
  std::uint64_t redelivered = 0;   // received before and flagged so: no fault
  std::uint64_t untraceable = 0;   // streams with more gaps than can be tracked
  std::string first;               // the first fault, in words

  bool is_clean() const { return lost + duplicates + out_of_order + damaged + foreign + untraceable == 0; }
  void merge(const findings& other);
};

// The checker of one target: a queue, or a partition. All of its readers are on one thread.
class checker {
 public:
  struct expectation {
    std::string name;  // of the target, for texts
    std::uint32_t run = 0;
    std::uint32_t target = 0;
    std::size_t publishers = 1;
    std::size_t readers = 1;  // each reader gets a publisher's messages in order
    bool ordered = true;      // false = answers of several servers, whose order nobody promises
  };
  explicit checker(expectation expected);

  void take(std::string_view body, bool redelivered, std::size_t reader);
  // Call when nothing more will come. `promises`: of the publishers, by number. `dropped`: messages that a configured
  // bound dropped.
  void conclude(std::span<const promise* const> promises, std::uint64_t dropped);

  const findings& found() const { return found_; }
  // Forgets what was received, but not the faults: for reading the same again.
  void begin_again();

 private:
  void blame(std::uint64_t& count, std::string_view what, std::uint32_t publisher, std::uint64_t sequence);

  expectation expected_;
  std::vector<sequence_set> seen_;   // by publisher
  std::vector<std::uint64_t> last_;  // by reader and publisher
  findings found_;
};

}  // namespace tidegate::tool::bench
