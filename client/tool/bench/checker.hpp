// Checks a stream of messages for the broker's promises while the stream comes in, in memory that does not grow with
// the stream. Every body is whole. No message is foreign. Each message comes once (again only as `redelivered`). Each
// publisher's messages come in order. At the end no confirmed message is missing. tests/faults/invariants.hpp checks a
// whole store for all promises.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/tool/bench/sequence_set.hpp"

namespace tidegate::tool::bench {

// The messages that one publisher has sent to one target, for the checks after the run.
struct promise {
  std::uint64_t sent = 0;  // sequences 1 to this
  sequence_set excused;    // refused or never settled: these may be missing
};

struct findings {
  std::uint64_t checked = 0;
  std::uint64_t lost = 0;          // confirmed, and never seen
  std::uint64_t duplicates = 0;    // seen before, and not flagged redelivered
  std::uint64_t out_of_order = 0;  // came after a later one of its publisher
  std::uint64_t damaged = 0;       // its CRC is wrong
  std::uint64_t foreign = 0;       // not of this run, or not for this target
  std::uint64_t redelivered = 0;   // seen before and flagged so: no breach
  std::uint64_t untraceable = 0;   // publishers' streams with more gaps than can be tracked
  std::string first;               // the first breach, in words; empty = none

  bool is_clean() const { return lost + duplicates + out_of_order + damaged + foreign + untraceable == 0; }
  void merge(const findings& other);
};

// Checks the messages of one target: a queue or a partition. All of its readers are on one thread.
class checker {
 public:
  struct expectation {
    std::string name;  // of the target, for `first`
    std::uint32_t run = 0;
    std::uint32_t target = 0;
    std::size_t publishers = 1;
    std::size_t readers = 1;  // each of which sees a publisher's messages in order
    bool ordered = true;      // false for answers of several servers, whose order nobody promises
  };
  explicit checker(expectation expected);

  // Checks one message. `reader` is the number of the reader that received it, from 0.
  void take(std::string_view body, bool redelivered, std::size_t reader);
  // Counts missing messages, after the last message has come. `promises` are those of the publishers, by their number.
  // `dropped` of the promised messages were dropped by a configured bound, so as many may be missing.
  void conclude(std::span<const promise* const> promises, std::uint64_t dropped);

  const findings& found() const { return found_; }
  // Forgets which messages came and keeps the findings, so that the same messages can be read again.
  void begin_again();

 private:
  void blame(std::uint64_t& count, std::string_view what, std::uint32_t publisher, std::uint64_t sequence);

  expectation expected_;
  std::vector<sequence_set> seen_;   // by publisher
  std::vector<std::uint64_t> last_;  // by reader and publisher
  findings found_;
};

}  // namespace tidegate::tool::bench
