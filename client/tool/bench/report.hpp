// What a run saw, as plain values; and how it is told.
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
  double seconds = 0;  // since the run began
  std::array<counts, 2> streams = {};
};

struct outcome {
  std::vector<std::string> streams;   // their names
  std::vector<sample> samples;        // from the time it measured on, one a second, and its end
  std::array<counts, 2> totals = {};  // of the whole run
  std::array<std::array<histogram, timings>, 2> latencies;
  std::optional<findings> verified;
  bool complete = true;               // everything was waited for: what is missing is lost
  double cpu_seconds = 0;             // of the generator's threads, while it measured
  double busiest_thread = 0;          // share of a core
  std::vector<raw_rate> reference;    // before the run and after it
  boost::json::object broker;         // what its status counted meanwhile
  std::vector<std::string> left;      // what was made and is still there
  std::vector<std::string> troubles;  // what went wrong, in words
};

boost::json::object to_json(const bench_arguments& asked, const outcome& seen);
// Lines for people.
std::string to_text(const bench_arguments& asked, const outcome& seen);
// Everything that is wrong, and nothing else: none, if the run is right.
std::vector<std::string> objections(const outcome& seen);

std::string_view name(bench_kind kind);

}  // namespace tidegate::tool::bench
