// The results of a run as plain values, and their reports: JSON for programs, text for people.
#pragma once

#include <boost/json.hpp>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "client/tool/arguments.hpp"
#include "client/tool/bench/checker.hpp"
#include "client/tool/bench/figures.hpp"
#include "client/tool/bench/reference.hpp"

namespace tidegate::tool::bench {

// The counts of all threads at one instant, by stream.
struct sample {
  double seconds = 0;  // since the start of the run
  std::array<counts, 2> streams = {};
};

struct outcome {
  std::vector<std::string> streams;   // their names
  std::vector<sample> samples;        // from the start of measuring, one a second, and one at its end
  std::array<counts, 2> totals = {};  // of the whole run
  std::array<std::array<histogram, timings>, 2> latencies;
  std::optional<findings> verified;
  bool complete = true;               // every message was waited for, so a missing one is lost
  double cpu_seconds = 0;             // of the generator's threads, while measuring
  double busiest_thread = 0;          // share of a core that the busiest thread used
  std::vector<raw_rate> reference;    // before the run and after it
  boost::json::object broker;         // of its status: changes during the run, and the bytes used at its end
  std::vector<std::string> left;      // objects that the run declared and did not remove
  std::vector<std::string> troubles;  // failures, in words
};

boost::json::object to_json(const bench_arguments& asked, const outcome& seen);
// Returns the report as lines for people.
std::string to_text(const bench_arguments& asked, const outcome& seen);
// Returns all that is wrong with the run, in words; empty = nothing is wrong.
std::vector<std::string> objections(const outcome& seen);

std::string_view name(bench_kind kind);

}  // namespace tidegate::tool::bench
