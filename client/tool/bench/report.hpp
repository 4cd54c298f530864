// Results of a run, as plain values and as text.
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

// All threads' counts of a stream at an instant.
struct sample {
  double seconds = 0;  // since the run started
  std::array<counts, 2> streams = {};
};

struct outcome {
  std::vector<std::string> streams;   // their names
  std::vector<sample> samples;        // since the start of the measurement: one a second, and one at its end
  std::array<counts, 2> totals = {};  // of the whole run
  std::array<std::array<histogram, timings>, 2> latencies;
  std::optional<findings> verified;
  bool complete = true;               // every answer was waited for: what is missing is lost
  double cpu_seconds = 0;             // of the generator's threads, during the measurement
  double busiest_thread = 0;          // share of a core
  std::vector<raw_rate> reference;    // before the run and after it
  boost::json::object broker;         // counts of the broker's status during the run
  std::vector<std::string> left;      // what was declared and could not be deleted
  std::vector<std::string> troubles;  // faults, in words
};

boost::json::object to_json(const bench_arguments& asked, const outcome& seen);
// Returns lines for people.
std::string to_text(const bench_arguments& asked, const outcome& seen);
// Returns every fault; none if the run is right.
std::vector<std::string> objections(const outcome& seen);

std::string_view name(bench_kind kind);

}  // namespace tidegate::tool::bench
